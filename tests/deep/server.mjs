// A TLS server of Node: port, folder with keys, then options of tls.createServer as JSON.
import fs from "node:fs";
import tls from "node:tls";

const [port, folder, json] = process.argv.slice(2);
const { kinds, ...options } = JSON.parse(json);
const read = (suffix) => kinds.map((kind) => fs.readFileSync(`${folder}/${kind}.${suffix}`));
const server = tls.createServer({ ...options, cert: read("pem"), key: read("key") });
server.on("tlsClientError", () => {});
server.listen(Number(port), "127.0.0.1");
