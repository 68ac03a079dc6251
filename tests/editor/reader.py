"""YAML as YAML 1.2 reads it, with the place of every value: PyYAML with the words of the core schema."""
import re

import yaml


class Loader(yaml.SafeLoader):
    yaml_implicit_resolvers = {}


NUMBER = re.compile(r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$")
Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(true|false)$"), list("tf"))
Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile("^(null|~|)$"), ["n", "~", ""])
Loader.add_implicit_resolver("tag:yaml.org,2002:number", NUMBER, list("-0123456789"))


class Document:
    def __init__(self, text):
        loader = Loader(text)
        try:
            self.root = loader.get_single_node()
        finally:
            loader.dispose()
        self.places = []
        self.value = self.build(self.root, ()) if self.root else None

    def build(self, node, path):
        self.places.append((path, node.start_mark, node.end_mark))
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, path + (i,)) for i, item in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            value = {}
            for key, item in node.value:
                if not isinstance(key, yaml.ScalarNode):
                    raise yaml.constructor.ConstructorError("a key", node.start_mark, "is no scalar", key.start_mark)
                self.places.append((path + (key.value,), key.start_mark, key.end_mark))
                value[key.value] = self.build(item, path + (key.value,))
            return value
        kind = node.tag.rsplit(":", 1)[1]
        if kind == "number":
            return float(node.value) if re.search("[.eE]", node.value) else int(node.value)
        if kind == "bool":
            return node.value == "true"
        return None if kind == "null" else node.value

    def around(self, line, column):
        """The innermost value or key at a place, the mapping that holds it, and the value as a whole: where a validator may
        report what the loader reports there."""
        at = (line - 1, column - 1)
        inner = ()
        for path, start, end in self.places:
            if (start.line, start.column) <= at <= (end.line, end.column) and len(path) >= len(inner):
                inner = path
        return {inner, inner[:-1]}


def read(path):
    with open(path, encoding="utf-8") as file:
        return Document(file.read())
