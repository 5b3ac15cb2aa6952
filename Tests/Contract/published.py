"""Prints the published contract as an OpenAPI document, made again of its facts.

Its texts are not here; clients that are generated of it are the same but for their comments. Tags,
which name the modules of such clients, are openapi.json's.
"""

import json

FACTS = "Tests/SplitstreamServerTests/Fixtures/contract-0.1.0-facts.json"


def restored(node):
    """A schema as the contract writes it: `nullable` beside one type, references to components."""
    if isinstance(node, list):
        return [restored(element) for element in node]
    if not isinstance(node, dict):
        return node
    schema = {name: restored(value) for name, value in node.items()}
    if isinstance(schema.get("type"), list):
        schema["type"] = next(kind for kind in schema["type"] if kind != "null")
        schema["nullable"] = True
    if "$ref" in schema:
        schema["$ref"] = schema["$ref"].replace("#/schemas/", "#/components/schemas/")
    return schema


def content(fact):
    return {"content": {fact["contentType"]: {"schema": restored(fact["schema"])}}}


def operation(fact, tags):
    answers = {
        status: {"description": status} | (content(answer) if "schema" in answer else {})
        for status, answer in fact["responses"].items()}
    made = {
        "operationId": fact["operationId"], "tags": tags[fact["operationId"]],
        "security": [{"key": []}] if fact["secured"] else [],
        "parameters": [restored(parameter) for parameter in fact["parameters"]],
        "responses": answers}
    if "request" in fact:
        made["requestBody"] = {"required": fact["request"]["required"]} | content(fact["request"])
    return made


with open("openapi.json", encoding="utf-8") as file:
    tags = {
        operation["operationId"]: operation["tags"]
        for path in json.load(file)["paths"].values()
        for operation in path.values() if isinstance(operation, dict) and "operationId" in operation}
with open(FACTS, encoding="utf-8") as file:
    facts = json.load(file)
paths = {}
for fact in facts["operations"]:
    paths.setdefault(fact["path"], {})[fact["method"]] = operation(fact, tags)
print(json.dumps({
    "openapi": "3.1.0", "info": {"title": "Splitstream", "version": "0.1.0"}, "paths": paths,
    "components": {
        "schemas": restored(facts["schemas"]),
        "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}}}))
