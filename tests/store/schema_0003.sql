CREATE TABLE proof (
    domain_id INTEGER NOT NULL,
    run_id INTEGER NOT NULL,
    fact_id INTEGER NOT NULL,
    PRIMARY KEY (domain_id, run_id),
    FOREIGN KEY(domain_id) REFERENCES domain (id),
    FOREIGN KEY(run_id) REFERENCES run (id),
    FOREIGN KEY(fact_id) REFERENCES fact (id)
)
 WITHOUT ROWID

CREATE TABLE proof (
    domain_id BIGINT NOT NULL,
    run_id BIGINT NOT NULL,
    fact_id BIGINT NOT NULL,
    PRIMARY KEY (domain_id, run_id),
    FOREIGN KEY(domain_id) REFERENCES domain (id),
    FOREIGN KEY(run_id) REFERENCES run (id),
    FOREIGN KEY(fact_id) REFERENCES fact (id)
)
