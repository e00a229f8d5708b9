"""Changes to JSON and XML that leave the syntax as it is: other types of values, entries dropped, renamed, repeated."""

import copy
import json
import xml.etree.ElementTree as ElementTree

from fuzzing.mutation import ANY, NUMBERS, SAME, VALUE, WORDS, Mutation

LEAVES = (
    None, True, False, 0, 1, -1, 1.5, 1e308, -1e308, 10**30, 10**400, 2**63, "", " ", "1", "nan", "é\u202e", "x" * 5000,
    [], {}, [1], {"a": 1}, [[]], float("nan"), float("inf"), "../../outside", "a\tb", "a\nb\x1b[2J", [None], "1.0",
)  # fmt: skip
MAX_DEPTH = 50_000


def mutate_json(data, random):
    """One change to a JSON document; to its bytes where it is none."""
    value = json.loads(data)
    change = random.choice((_replace, _replace, _replace, _replace, _drop, _rename, _repeat, _exchange, _wrap, _deep,
                            _twice, _reformat, _reformat, _number_types))  # fmt: skip
    return change(value, random)


def _dump(value, text, effect=ANY, key="", **options):
    return Mutation(json.dumps(value, **options).encode("utf-8", "surrogatepass"), text, effect, key)


def _places(value):
    """(container, key, name) of everything in a document; name: the nearest key that is a text."""
    stack = [(value, "")]
    while stack:
        container, name = stack.pop()
        if isinstance(container, (dict, list)):
            for key in container if isinstance(container, dict) else range(len(container)):
                known = key if isinstance(key, str) else name
                yield container, key, known
                stack.append((container[key], known))


def _pick(value, random, where=lambda item: True):
    places = [place for place in _places(value) if where(place[0][place[1]])]
    return random.choice(places) if places else ([value], 0, "")


def _replace(value, random):
    container, key, name = _pick(value, random)
    old, new = container[key], random.choice(LEAVES)
    leaf = not isinstance(old, (dict, list))
    container[key] = copy.deepcopy(new)
    return _dump(value, f"{name}: {str(old)[:40]} -> {str(new)[:40]!a}", VALUE if leaf else ANY, name)


def _drop(value, random):
    container, key, name = _pick(value, random)
    del container[key]
    return _dump(value, f"{name}: dropped")


def _rename(value, random):
    places = [place for place in _places(value) if isinstance(place[0], dict)]
    if not places:
        return _drop([value], random)
    container, key, name = random.choice(places)
    container[random.choice((key.upper(), key + " ", "", key + "s", "x"))] = container.pop(key)
    return _dump(value, f"{name}: renamed")


def _repeat(value, random):
    container, key, name = _pick(value, random, lambda item: isinstance(item, list) and item)
    items = container[key]
    if not isinstance(items, list):
        return _drop(value if isinstance(value, (dict, list)) else [value], random)
    items.insert(random.randrange(len(items) + 1), copy.deepcopy(random.choice(items)))
    return _dump(value, f"{name}: an item repeated")


def _exchange(value, random):
    (one, first, name), (other, second, _) = _pick(value, random), _pick(value, random)
    one[first], other[second] = copy.deepcopy(other[second]), copy.deepcopy(one[first])
    return _dump(value, f"{name}: exchanged with something else")


def _wrap(value, random):
    container, key, name = _pick(value, random)
    container[key] = random.choice(([container[key]], {"": container[key]}, str(container[key])[:5000]))
    return _dump(value, f"{name}: wrapped")


def _deep(value, random):
    container, key, name = _pick(value, random)
    container[key] = "DEEP"
    depth = random.choice((200, 5000, MAX_DEPTH))
    text = json.dumps(value).replace('"DEEP"', "[" * depth + "]" * depth)
    return Mutation(text.encode(), f"{name}: {depth} brackets")


def _twice(value, random):
    """A key twice in one object, which no standard says the meaning of."""
    places = [place for place in _places(value) if isinstance(place[0], dict)]
    if not places:
        return _dump(value, "nothing")
    container, key, name = random.choice(places)
    container["TWICE"] = random.choice(LEAVES[:9])
    return Mutation(json.dumps(value).replace('"TWICE"', json.dumps(key)).encode(), f"{name}: twice")


def _reformat(value, random):
    """The same document, written by another program."""
    how = random.choice(({"indent": 3}, {"separators": (",", ":")}, {"sort_keys": True}, {"ensure_ascii": False}))
    return _dump(value, f"written with {how}", SAME, **how)


def _number_types(value, random):
    """Whole numbers as 1.0, as other programs write them, and ids as texts as well."""
    floats = random.random() < 0.5
    for container, key, name in list(_places(value)):
        item = container[key]
        if type(item) is int and item < 10**15:
            is_id = name == "id" or name.endswith("_id")
            container[key] = float(item) if floats else str(item) if is_id else item
    return _dump(value, f"whole numbers {'with a point' if floats else 'of ids as texts'}", SAME, key="types")


def mutate_xml(data, random):
    """One change to an XML document."""
    root = ElementTree.fromstring(data)
    change = random.choice((_leaf, _leaf, _leaf, _attribute, _element, _element, _document, _layout))
    return change(root, random)


def _written(root, text, effect=ANY, key=""):
    return Mutation(ElementTree.tostring(root, encoding="utf-8"), text, effect, key)


def _value(random):
    allowed = [word for word in WORDS if word.isprintable()]
    return random.choice((*NUMBERS, *allowed))


def _leaf(root, random):
    leaves = [element for element in root.iter() if len(element) == 0 and (element.text or "").strip()]
    if not leaves:
        return _attribute(root, random)
    element, value = random.choice(leaves), _value(random)
    old, element.text = element.text, value
    return _written(root, f"<{element.tag}>{old} -> {value[:40]!a}", VALUE, element.tag)


def _attribute(root, random):
    places = [(element, name) for element in root.iter() for name in element.attrib]
    if not places:
        return _element(root, random)
    element, name = random.choice(places)
    if random.random() < 0.25:
        del element.attrib[name]
        return _written(root, f"<{element.tag} {name}>: dropped")
    value = _value(random)
    old, element.attrib[name] = element.attrib[name], value
    return _written(root, f"<{element.tag} {name}={old}> -> {value[:40]!a}", VALUE, name)


def _element(root, random):
    parents = [(parent, child) for parent in root.iter() for child in parent]
    if not parents:
        return _written(root, "nothing")
    parent, child = random.choice(parents)
    what = random.choice(("dropped", "repeated", "renamed", "moved", "wrapped"))
    if what == "dropped":
        parent.remove(child)
    elif what == "repeated":
        parent.append(copy.deepcopy(child))
    elif what == "renamed":
        child.tag = random.choice((child.tag.upper(), "x", child.tag + "s"))
    elif what == "moved":
        parent.remove(child)
        root.append(child)
    else:
        child.append(copy.deepcopy(child))
    return _written(root, f"<{child.tag}>: {what}")


def _document(root, random):
    """What an XML document may declare, and what nobody should follow."""
    text = ElementTree.tostring(root, encoding="unicode")
    head = random.choice((
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>', "<!DOCTYPE a [<!ENTITY x 'y'>]>",
        '<?xml version="1.0" encoding="gb2312"?>', '<?xml version="1.1"?>', "<!-- <object> -->", "<?x?>",
        "<!DOCTYPE a [" + "".join(f"<!ENTITY x{i + 1} '{f'&x{i};' * 50}'>" for i in range(9)) + "<!ENTITY x0 'y'>]>",
    ))  # fmt: skip
    depth = random.choice((0, 0, 0, 100_000))
    return Mutation((head + text + "<a>" * depth).encode(), f"{head[:40]}, {depth} elements without end")


def _layout(root, random):
    """The same document, indented otherwise."""
    ElementTree.indent(root, random.choice(("", " ", "\t", "      ")))
    return _written(root, "indented otherwise", SAME)
