"""Counts the steps of a backtracking regular expression: a test of growth without a clock.

Reads the tree that ``re`` itself parses, and walks it as ``re`` does; what is counted is each try
of one item at one place. Stops beyond a bound, since a bad expression would never end.
"""

import functools
import re
import re._constants as op  # type: ignore[import-not-found] # private: the tree has no other names
import re._parser as parser  # type: ignore[import-not-found]
from collections.abc import Iterator
from typing import Any


class TooManySteps(Exception):
    """More than the bound."""


class Steps:
    """One run of *pattern* on *text*, from the beginning only or *anywhere*."""

    def __init__(self, pattern: re.Pattern[Any], text: str, most: int) -> None:
        self.count = 0
        self._most = most
        self._tree = _tree_of(pattern)
        self._ignores_case = bool(pattern.flags & re.IGNORECASE)
        self._dot_is_all = bool(pattern.flags & re.DOTALL)
        self._known: dict[tuple[int, str], bool] = {}  # by the id of an item of the tree
        self._text = text

    def run(self, *, anywhere: bool) -> int:
        """How many steps it took. Raises ``TooManySteps``."""
        start = 0
        while start <= (len(self._text) if anywhere else 0):
            end = next(self._match(self._tree, 0, start), None)
            start = max(start + 1, end or 0)  # as finditer goes on
        return self.count

    def _step(self) -> None:
        self.count += 1
        if self.count > self._most:
            raise TooManySteps

    def _match(self, items: list[Any], at: int, place: int) -> Iterator[int]:
        """Where *items* from the one numbered *at* can end if they begin at *place*."""
        if at == len(items):
            yield place
            return
        self._step()
        code, value = items[at]
        for end in self._item(code, value, place):
            yield from self._match(items, at + 1, end)

    def _item(self, code: Any, value: Any, place: int) -> Iterator[int]:
        if code in (op.LITERAL, op.NOT_LITERAL, op.ANY, op.IN):
            if self._fits(code, value, place):
                yield place + 1
        elif code is op.BRANCH:
            for branch in value[1]:
                yield from self._match(list(branch), 0, place)
        elif code is op.SUBPATTERN:
            yield from self._match(list(value[3]), 0, place)
        elif code is op.ATOMIC_GROUP:
            yield from self._first(list(value), place)
        elif code in (op.ASSERT, op.ASSERT_NOT):
            begin = place - value[1].getwidth()[0] if value[0] < 0 else place
            ends = self._match(list(value[1]), 0, begin) if begin >= 0 else iter(())
            found = any(value[0] > 0 or end == place for end in ends)
            if found is (code is op.ASSERT):
                yield place
        elif code is op.AT:
            if self._stands(value, place):
                yield place
        else:
            least, most, tree = value
            yield from self._repeat(code, least, int(most), list(tree), place)

    def _stands(self, code: Any, place: int) -> bool:
        if code in (op.AT_END, op.AT_END_STRING):
            return place == len(self._text)
        if code in (op.AT_BEGINNING, op.AT_BEGINNING_STRING):
            return place == 0
        around = self._text[max(place - 1, 0) : place], self._text[place : place + 1]
        words = [bool(char) and (char.isalnum() or char == "_") for char in around]
        return (words[0] != words[1]) is (code is op.AT_BOUNDARY)

    def _first(self, items: list[Any], place: int) -> Iterator[int]:
        end = next(self._match(items, 0, place), None)
        if end is not None:
            yield end

    def _repeat(
        self, code: Any, least: int, most: int, items: list[Any], place: int
    ) -> Iterator[int]:
        if len(items) == 1 and items[0][0] in (op.LITERAL, op.NOT_LITERAL, op.ANY, op.IN):
            ends = [place]
            while len(ends) <= most and self._fits(items[0][0], items[0][1], ends[-1]):
                self._step()
                ends.append(ends[-1] + 1)
            ends = ends[least:]
        else:
            ends = self._ends(items, least, most, place)
        if code is op.POSSESSIVE_REPEAT:
            ends = ends[-1:]
        elif code is op.MAX_REPEAT:
            ends = ends[::-1]
        for end in ends:
            self._step()
            yield end

    def _ends(self, items: list[Any], least: int, most: int, place: int) -> list[int]:
        """Where a repeated group can end, in every way: each way costs its steps."""
        ends = [place] if least == 0 else []
        waiting = [(place, 0)]
        while waiting:
            begin, count = waiting.pop()
            if count >= most:
                continue
            for end in self._match(items, 0, begin):
                if end > begin:
                    waiting.append((end, count + 1))
                    if count + 1 >= least:
                        ends.append(end)
        return ends

    def _fits(self, code: Any, value: Any, place: int) -> bool:
        if place >= len(self._text):
            return False
        char = self._text[place]
        if code is not op.IN:
            return self._is_one(char, code, value)
        key = id(value), char
        if key not in self._known:
            negated = value[0][0] is op.NEGATE
            found = any(self._is_in(char, *one) for one in value[negated:])
            self._known[key] = negated != found
        return self._known[key]

    def _is_one(self, char: str, code: Any, value: Any) -> bool:
        if code is op.ANY:
            return char != "\n" or self._dot_is_all
        if code is op.LITERAL:
            return self._same(char, chr(value))
        return not self._same(char, chr(value))

    def _same(self, char: str, other: str) -> bool:
        return char == other or (self._ignores_case and char.lower() == other.lower())

    def _is_in(self, char: str, code: Any, value: Any) -> bool:
        if code is op.LITERAL:
            return self._same(char, chr(value))
        if code is op.RANGE:
            cases = {char, char.lower(), char.upper()} if self._ignores_case else {char}
            return any(value[0] <= ord(one) <= value[1] for one in cases if len(one) == 1)
        classes = {
            op.CATEGORY_DIGIT: char.isdigit(),
            op.CATEGORY_NOT_DIGIT: not char.isdigit(),
            op.CATEGORY_SPACE: char.isspace(),
            op.CATEGORY_NOT_SPACE: not char.isspace(),
            op.CATEGORY_WORD: char.isalnum() or char == "_",
            op.CATEGORY_NOT_WORD: not (char.isalnum() or char == "_"),
        }
        return classes[value]


@functools.cache
def _tree_of(pattern: re.Pattern[Any]) -> list[Any]:
    source = pattern.pattern
    source = source.decode("latin-1") if isinstance(source, bytes) else source
    return list(parser.parse(source, pattern.flags & ~re.DEBUG))


def steps_a_character(pattern: re.Pattern[Any], text: str, *, anywhere: bool, most: int) -> float:
    """How many steps *pattern* takes for each character; infinite beyond *most* a character."""
    try:
        steps = Steps(pattern, text, most * len(text)).run(anywhere=anywhere)
    except TooManySteps:
        return float("inf")
    return steps / len(text)
