"""Holds recorded requests and answers against an OpenAPI 3.1 document.

check_exchanges.py DOCUMENT EXCHANGES: prints what is wrong, a line each, and fails if there is any.
Every schema must itself be valid by JSON Schema 2020-12. Answers must not have members that are not
described; requests, which are looked at only where they were accepted, may.
"""

import json
import sys

from jsonschema import Draft202012Validator, RefResolver


def load(name):
    with open(name, encoding="utf-8") as file:
        return json.load(file)


def without_others(value):
    """The same document, but objects have no members beyond those described."""
    if isinstance(value, dict):
        return {
            name: False if name == "additionalProperties" and member is True else without_others(member)
            for name, member in value.items()
        }
    if isinstance(value, list):
        return [without_others(member) for member in value]
    return value


def resolved(document, value):
    if "$ref" not in value:
        return value
    found = document
    for name in value["$ref"].removeprefix("#/").split("/"):
        found = found[name]
    return found


def schema_of(content):
    return content["content"]["application/json"]["schema"]


def problems_of(document, schema, text):
    validator = Draft202012Validator(schema, resolver=RefResolver("", document))
    for error in validator.iter_errors(json.loads(text)):
        where = "/".join(str(part) for part in error.absolute_path)
        yield f"{where}: {error.message[:300]}"


def answer_schema(document, exchange):
    """Answers that belong to no operation are errors; None: the status is not described."""
    if "path" not in exchange:
        return {"$ref": "#/components/schemas/Error"}
    operation = document["paths"][exchange["path"]][exchange["method"]]
    response = operation["responses"].get(exchange["status"])
    return schema_of(resolved(document, response)) if response else None


def check(document, strict, exchange):
    schema = answer_schema(strict, exchange)
    if schema is None:
        yield "is not described"
        return
    yield from problems_of(strict, schema, exchange["answer"])
    if exchange["status"].startswith("2") and exchange["request"]:
        operation = document["paths"][exchange["path"]][exchange["method"]]
        if "requestBody" in operation:
            for problem in problems_of(document, schema_of(operation["requestBody"]), exchange["request"]):
                yield "request: " + problem


def main():
    document = load(sys.argv[1])
    strict = without_others(document)
    found = False
    for name, schema in document["components"]["schemas"].items():
        try:
            Draft202012Validator.check_schema(schema)
        except Exception as error:
            print(f"component {name}: {error}")
            found = True
    for exchange in load(sys.argv[2]):
        name = f"{exchange.get('method', '-')} {exchange.get('path', '-')} {exchange['status']}"
        for problem in check(document, strict, exchange):
            print(f"{name}: {problem}")
            found = True
    sys.exit(1 if found else 0)


main()
