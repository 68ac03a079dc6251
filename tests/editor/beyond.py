"""What a JSON Schema cannot see of a definition, by the loader's diagnostics: (code, part of the message, why)."""

MISTAKES = [
    # The steps together: a schema sees one value at a time.
    ("duplicate-id", "", "two places"),
    ("compensate-missing", "", "depends on where the pivot is"),
    ("compensate-after-pivot", "", "depends on where the pivot is"),
    ("second-pivot", "", "two places"),
    ("undo-after-pivot", "", "depends on where the pivot is"),
    ("retry-order", "", "compares two durations"),
    ("out-of-bounds", "`unlimited` attempts", "depends on where the pivot is"),
    ("else-last", "", "depends on the other cases"),
    ("taken-name", "", "two places"),
    ("event-schema", "", "two places"),
    ("deadline-short", "", "adds durations up"),
    ("out-of-bounds", "each item of a foreach counted", "a product over the blocks around"),
    ("out-of-bounds", "commands under way at once", "a sum over the file"),
    ("unreachable", "", "depends on what stands before"),
    # Inside expressions.
    ("expression-syntax", "", "a schema takes a text as a text"),
    ("expression-unknown", "", "a schema takes a text as a text"),
    ("unknown-step", "", "a reference"),
    ("later-step", "", "a reference"),
    ("own-output", "", "a reference"),
    ("null-output", "", "a reference"),
    ("not-await", "", "a reference"),
    ("unknown-variable", "", "a reference"),
    ("unknown-field", "", "a reference"),
    ("beside-step", "", "a reference"),
    ("other-case", "", "a reference"),
    ("no-output", "", "a reference"),
    ("list-of-lists", "", "a reference"),
    ("unclear-event", "", "a reference"),
    # Other files, and what schemas mean.
    ("schema-file", "No such file", "another file"),
    ("schema-file", "expected a key in quotes", "another file"),
    ("schema-ref", "", "a reference"),
    ("schema-value", "not a pattern", "the language of patterns"),
    ("schema-value", "at the root of a schema only", "depends on where it stands"),
    ("schema-value", "at most 18 digits", "JSON readers round"),
    # Numbers in texts and behind points.
    ("wrong-type", "not a bare time", "an expression, to a schema, is any text"),
    ("wrong-type", "and this is none", "an expression, to a schema, is any text"),
    ("bad-duration", "4000d", "a number within a text"),
    ("out-of-bounds", "at most three digits", "how a number is written"),
]

# Mistakes of the text as YAML: the editor's reader of YAML reports them, or reads on as YAML allows.
TEXT = {
    "not-utf8", "bad-character", "tab", "too-large", "yaml-syntax", "second-document", "directive", "anchor", "alias", "tag",
    "merge-key", "bad-key", "duplicate-key", "bad-number",
}
