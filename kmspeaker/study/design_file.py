"""A study's YAML file, read strictly: what it does not know, it refuses.

Place in the flow: the first thing of a study; the keys are the fields of ``design``.
"""

import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import yaml

from kmspeaker.errors import InputError
from kmspeaker.study.design import Design

MOST_BYTES = 256 * 1024
READY = ("lips", "style")
"""The paper's two studies over the bundled examples and model, by name."""


def ready_made(name: str) -> Path:
    """Where a ready-made study's file lies, ``ready:lips`` on the command line.

    Raises:
        InputError: There is none of that name.
    """
    if name not in READY:
        raise InputError(f"Got the ready-made study {name!r}; there are {', '.join(READY)}.")
    return Path(str(files("kmspeaker.study").joinpath("ready", f"{name}.yaml")))


def read_design(path: Path | str) -> Design:
    """Read a study's file.

    Raises:
        InputError: No such file, too large, not YAML, or a key that is unknown, missing, given
            twice or of a wrong kind; or the study cannot be run, see ``design``.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise InputError(
                f"Got {path.name} of {size} bytes; a study's file has at most {MOST_BYTES}."
            )
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"Cannot read {path} ({error}); give the YAML file of a study.") from error
    return parse_design(text, path.name)


def parse_design(text: str, name: str = "the study") -> Design:
    """The design in a YAML text; ``name`` is for the sentences.

    Raises:
        InputError: As ``read_design``.
    """
    try:
        table = yaml.load(text, _StrictLoader)
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise InputError(f"Got {name}, which is not plain YAML: {reason}.") from error
    except RecursionError as error:
        raise InputError(f"Got {name}, which is nested too deeply; write it flat.") from error
    if not isinstance(table, dict):
        raise InputError(f"Got {name}, which is no table of keys; see `kmspeaker study --help`.")
    conditions = table.get("conditions")
    if isinstance(conditions, dict):
        table["conditions"] = [
            {"name": key, **value} if isinstance(value, dict) else value
            for key, value in conditions.items()
        ]
    try:
        return _read(Design, table, name)
    except InputError as error:
        prefix = "" if name in str(error) else f"{name}: "
        raise InputError(f"{prefix}{error}") from error


class _StrictLoader(yaml.SafeLoader):
    """Plain data only: no key twice, and no aliases, by which a small file becomes a huge one."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        """As SafeLoader, without aliases."""
        if self.check_event(yaml.events.AliasEvent):
            mark = self.peek_event().start_mark
            raise yaml.YAMLError(f"line {mark.line + 1} has an alias; write the value out")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """As SafeLoader, each key once."""
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for number, key in enumerate(keys):
            if not isinstance(key, str):
                raise yaml.YAMLError(f"the key {key!r} is no text")
            if key in keys[:number]:
                raise yaml.YAMLError(
                    f"line {node.value[number][0].start_mark.line + 1} has the key {key!r} again"
                )
        return super().construct_mapping(node, deep)


def _read(kind: Any, value: Any, where: str) -> Any:
    """The value as one of this kind, or a sentence that says where it is not."""
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return _read_union(kind, value, where)
    if origin is Literal:
        if value not in get_args(kind):
            raise InputError(
                f"Got {where} {value!r}; choose one of {', '.join(map(str, get_args(kind)))}."
            )
        return value
    if origin is tuple:
        if not isinstance(value, list):
            raise _wrong(where, value, "a list")
        element = get_args(kind)[0]
        return tuple(_read(element, each, f"{where}[{k}]") for k, each in enumerate(value))
    if origin is Mapping:
        if not isinstance(value, dict):
            raise _wrong(where, value, "a table of keys")
        element = get_args(kind)[1]
        return {key: _read(element, each, f"{where}.{key}") for key, each in value.items()}
    if is_dataclass(kind):
        return _read_fields(kind, value, where)
    return _read_plain(kind, value, where)


def _read_plain(kind: Any, value: Any, where: str) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
        raise _wrong(where, value, _WORDS[kind])
    if kind is float and not abs(value) < float("inf"):
        raise _wrong(where, value, "a finite number")
    return value.strip() if isinstance(value, str) else value


def _read_union(kind: Any, value: Any, where: str) -> Any:
    options = [option for option in get_args(kind) if option is not type(None)]
    if value is None and len(options) < len(get_args(kind)):
        return None
    for option in options[:-1]:
        try:
            return _read(option, value, where)
        except InputError:
            continue
    return _read(options[-1], value, where)


def _read_fields(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise _wrong(where, value, "a table of keys")
    options = {option.name: option for option in fields(kind)}
    for key in value:
        if key not in options:
            raise InputError(
                f"Got the unknown key {key!r} in {where}; known are {', '.join(options)}."
            )
    for key, option in options.items():
        if option.default is MISSING and option.default_factory is MISSING and key not in value:
            raise InputError(f"Got no {key!r} in {where}; it is needed.")
    hints = get_type_hints(kind)
    return kind(**{key: _read(hints[key], each, f"{where}: {key}") for key, each in value.items()})


def _wrong(where: str, value: Any, wanted: str) -> InputError:
    shown = repr(value)
    return InputError(f"Got {shown[:60]} for {where}; give {wanted}.")


_WORDS: Mapping[Any, str] = {
    str: "text, in quotes where it looks like a number",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
}
