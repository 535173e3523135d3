"""Which fields of settings classes a set of modules reads, from their text, with the types that annotations give.

An attribute counts only when the value that it is read from is known to be of the class: by the annotation of a
parameter, a field, a return value or an assignment, by ``run.settings(Class)``, or by a chain of those. So a field
``seed`` that nothing reads is found, however many other things have a ``seed``.
"""

import ast
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)

Types = frozenset[str]
"""Names of the classes that a value may be an instance of; ``list:X`` for a collection of them."""

NOTHING: Types = frozenset()

COMPARE_ALL_FIELDS = frozenset({"make_recipe"})
"""Functions that are given settings as a mapping and refuse a cache that was made with any other value."""


@dataclass
class Class:
    """What is known of a class: types of its attributes and results of its methods, by name."""

    bases: list[str]
    fields: list[str] = field(default_factory=list)
    attributes: dict[str, Types] = field(default_factory=dict)
    is_settings: bool = False


def _annotated(node: ast.expr | None) -> Types:
    """Return the classes that an annotation names, those of collections marked."""
    match node:
        case ast.Name(id=name):
            return frozenset({name})
        case ast.Attribute(attr=name):
            return frozenset({name})
        case ast.Constant(value=str() as text):
            return _annotated(ast.parse(text, mode="eval").body)
        case ast.BinOp(left=left, right=right, op=ast.BitOr()):
            return _annotated(left) | _annotated(right)
        case ast.Subscript(value=ast.Name(id="Literal" | "type")):
            return NOTHING
        case ast.Subscript(value=ast.Name(id="dict"), slice=ast.Tuple(elts=[_, value])):
            return frozenset(f"list:{name}" for name in _annotated(value))
        case ast.Subscript(value=ast.Name(id="Annotated"), slice=ast.Tuple(elts=[value, *_])):
            return _annotated(value)
        case ast.Subscript(slice=ast.Tuple(elts=elements)):
            inner = frozenset().union(*map(_annotated, elements))
            return frozenset(f"list:{name}" for name in inner)
        case ast.Subscript(slice=element):
            return frozenset(f"list:{name}" for name in _annotated(element))
    return NOTHING


def _elements(types: Types) -> Types:
    return frozenset(name.removeprefix("list:") for name in types if name.startswith("list:"))


class Uses:
    """The fields of settings classes that are read, as (class, field)."""

    def __init__(self, trees: Iterable[ast.Module]):
        self.trees = list(trees)
        self.classes: dict[str, Class] = {}
        self.functions: dict[str, ast.FunctionDef] = {}
        self.parameters: dict[str, set[str]] = defaultdict(set)
        for tree in self.trees:
            for node in ast.walk(tree):
                if isinstance(node, ast.ClassDef):
                    self._add_class(node)
                elif isinstance(node, ast.FunctionDef):
                    self.functions.setdefault(node.name, node)
                    self.parameters[node.name] |= {argument.arg for argument in _arguments(node)}
        self.read: set[tuple[str, str]] = set()
        # Attributes that are set from other attributes take a few rounds to be known.
        for _ in range(4):
            for tree in self.trees:
                self._block(tree.body, {}, None)

    def _add_class(self, node: ast.ClassDef) -> None:
        known = self.classes.setdefault(node.name, Class([]))
        known.bases += [name for base in node.bases for name in _annotated(base)]
        known.is_settings |= "settings" in map(ast.unparse, node.decorator_list)
        for item in node.body:
            if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                known.fields.append(item.target.id)
                known.attributes[item.target.id] = _annotated(item.annotation)
            elif isinstance(item, ast.FunctionDef):
                known.attributes.setdefault(item.name, _annotated(item.returns))
                if item.name == "__init__":
                    self.parameters[node.name] |= {argument.arg for argument in _arguments(item)}
        if known.fields:
            self.parameters[node.name] |= set(known.fields)

    def _line(self, name: str) -> list[str]:
        """Return the class and those that it inherits from."""
        names, queue = [], [name]
        while queue:
            name = queue.pop(0)
            if name in self.classes and name not in names:
                names.append(name)
                queue += self.classes[name].bases
        return names

    def fields_of(self, name: str) -> list[str]:
        """Return the fields of a class, inherited ones included."""
        return [entry for parent in self._line(name) for entry in self.classes[parent].fields]

    def unused(self, roots: Iterable[str]) -> list[str]:
        """Return ``Class.field`` of the fields that are not read, of some settings classes and of those within them."""
        missing, seen, queue = [], set(), list(roots)
        while queue:
            name = queue.pop()
            if (
                name in seen
                or name not in self.classes
                or not any(self.classes[n].is_settings for n in self._line(name))
            ):
                continue
            seen.add(name)
            for parent in self._line(name):
                for entry in self.classes[parent].fields:
                    types = self.classes[parent].attributes.get(entry, NOTHING)
                    queue += [kind.removeprefix("list:") for kind in types]
                    if not any((kind, entry) in self.read for kind in self._line(name) + self._heirs(parent)):
                        missing.append(f"{name}.{entry}")
        return sorted(missing)

    def _heirs(self, name: str) -> list[str]:
        return [heir for heir in self.classes if name in self._line(heir)]

    def _attribute(self, types: Types, name: str) -> Types:
        found = NOTHING
        for kind in types:
            for parent in self._line(kind):
                if name in self.classes[parent].attributes:
                    self.read |= {(kind, name), (parent, name)}
                    found |= self.classes[parent].attributes[name]
                    break
        return found

    def _all_fields(self, types: Types) -> None:
        for kind in types:
            self.read |= {(kind, entry) for entry in self.fields_of(kind)}

    def _block(self, nodes: Iterable[ast.AST], scope: dict[str, Types], owner: str | None) -> None:
        for node in nodes:
            self._statement(node, scope, owner)

    def _statement(self, node: ast.AST, scope: dict[str, Types], owner: str | None) -> None:
        if isinstance(node, ast.ClassDef):
            self._block(node.body, dict(scope), node.name)
            return
        if isinstance(node, FUNCTIONS[:2]):
            self._function(node, scope, owner)
            return
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            types = self._type(node.value, scope)
            if isinstance(node, ast.AnnAssign):
                types = types or _annotated(node.annotation)
            for target in targets:
                self._bind(target, node.value, types, scope)
            return
        if isinstance(node, ast.For):
            self._bind(node.target, None, _elements(self._type(node.iter, scope)), scope)
        if isinstance(node, ast.With):
            for item in node.items:
                types = self._type(item.context_expr, scope)
                if item.optional_vars is not None:
                    self._bind(item.optional_vars, None, types, scope)
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.stmt | ast.excepthandler | ast.match_case):
                self._statement(child, scope, owner)
            elif isinstance(child, ast.expr):
                self._type(child, scope)

    def _function(self, node: ast.FunctionDef, scope: dict[str, Types], owner: str | None) -> None:
        inner = dict(scope)
        for argument in _arguments(node):
            inner[argument.arg] = _annotated(argument.annotation) or inner.get(argument.arg, NOTHING)
        arguments = node.args.posonlyargs + node.args.args
        decorators = set(map(ast.unparse, node.decorator_list))
        if owner and arguments and "staticmethod" not in decorators:
            inner[arguments[0].arg] = frozenset({owner})
        self._block(node.decorator_list and [ast.Expr(entry) for entry in node.decorator_list], dict(scope), None)
        self._block(node.body, inner, None)

    def _bind(self, target: ast.expr, value: ast.expr | None, types: Types, scope: dict[str, Types]) -> None:
        if isinstance(target, ast.Name):
            scope[target.id] = types
        elif isinstance(target, ast.Attribute):
            for kind in self._type(target.value, scope):
                if kind in self.classes and types:
                    known = self.classes[kind].attributes
                    known[target.attr] = known.get(target.attr, NOTHING) | types
        elif isinstance(target, ast.Tuple | ast.List):
            values = value.elts if isinstance(value, ast.Tuple | ast.List) else [None] * len(target.elts)
            for entry, part in zip(target.elts, values, strict=False):
                self._bind(entry, part, self._type(part, scope) if part else _elements(types) or types, scope)

    def _type(self, node: ast.expr, scope: dict[str, Types]) -> Types:
        """Return the classes that an expression may be of, and note the fields that it reads."""
        match node:
            case ast.Name(id=name):
                return scope.get(name, NOTHING)
            case ast.Attribute(value=value, attr=name):
                return self._attribute(self._type(value, scope), name)
            case ast.Call():
                return self._call(node, scope)
            case ast.IfExp(test=test, body=body, orelse=other):
                self._type(test, scope)
                return self._type(body, scope) | self._type(other, scope)
            case ast.BoolOp(values=values):
                return frozenset().union(*(self._type(value, scope) for value in values))
            case ast.NamedExpr(target=target, value=value):
                types = self._type(value, scope)
                self._bind(target, value, types, scope)
                return types
            case ast.Subscript(value=value, slice=index):
                self._type(index, scope)
                return _elements(self._type(value, scope))
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
                return self._comprehension(node, scope)
            case ast.Lambda(args=_, body=body):
                inner = scope | {argument.arg: NOTHING for argument in _arguments(node)}
                return self._type(body, inner)
            case ast.List(elts=elements) | ast.Tuple(elts=elements) | ast.Set(elts=elements):
                inner = frozenset().union(*(self._type(entry, scope) for entry in elements))
                return frozenset(f"list:{name}" for name in inner if not name.startswith("list:"))
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self._type(child, scope)
        return NOTHING

    def _comprehension(self, node: ast.expr, scope: dict[str, Types]) -> Types:
        inner = dict(scope)
        for generator in node.generators:
            self._bind(generator.target, None, _elements(self._type(generator.iter, inner)), inner)
            for condition in generator.ifs:
                self._type(condition, inner)
        if isinstance(node, ast.DictComp):
            self._type(node.key, inner)
            types = self._type(node.value, inner)
        else:
            types = self._type(node.elt, inner)
        return frozenset(f"list:{name}" for name in types if not name.startswith("list:"))

    def _call(self, node: ast.Call, scope: dict[str, Types]) -> Types:
        name = _last_name(node.func)
        types = [self._type(argument, scope) for argument in node.args if not isinstance(argument, ast.Starred)]
        self._type(node.func, scope)
        for argument in [a.value for a in node.args if isinstance(a, ast.Starred)]:
            self._type(argument, scope)
        for keyword in node.keywords:
            self._type(keyword.value, scope)
            if keyword.arg is None:
                self._spread(keyword.value, name, scope)
        if isinstance(node.func, ast.Attribute) and name == "settings":
            return frozenset(n for argument in node.args[:1] for n in _annotated(argument))
        if name in ("read", "validate") and len(node.args) > 1 and isinstance(node.args[1], ast.Name):
            return frozenset({node.args[1].id})
        if name in COMPARE_ALL_FIELDS or (name == "getattr" and not isinstance(node.args[1], ast.Constant)):
            self._all_fields(self._converted(node.args[0], scope) | types[0])
        if name == "fields" and node.args and isinstance(node.args[0], ast.Name):
            self._all_fields(frozenset({node.args[0].id}))  # whoever lists the fields reads each
        if name in ("replace", "tqdm", "sorted", "list", "tuple", "reversed") and types:
            return types[0]
        if name in ("values", "items") and isinstance(node.func, ast.Attribute):
            return self._type(node.func.value, scope)
        if name in ("enumerate", "zip"):
            return frozenset().union(*types) if types else NOTHING
        if name in self.classes:
            return frozenset({name})
        if isinstance(node.func, ast.Attribute) and (returned := self._type(node.func, scope)):
            return returned
        if name in self.functions:
            return _annotated(self.functions[name].returns)
        return NOTHING

    def _converted(self, value: ast.expr, scope: dict[str, Types]) -> Types:
        """Return the classes of x in ``asdict(x)``."""
        if isinstance(value, ast.Call) and _last_name(value.func) in ("asdict", "vars") and value.args:
            return self._type(value.args[0], scope)
        return NOTHING

    def _spread(self, value: ast.expr, callee: str, scope: dict[str, Types]) -> None:
        """Note that ``f(**asdict(x))`` reads the fields of x that are parameters of f."""
        for kind in self._converted(value, scope):
            self.read |= {(kind, entry) for entry in set(self.fields_of(kind)) & self._accepted(callee)}

    def _accepted(self, callee: str) -> set[str]:
        names = set(self.parameters.get(callee, ()))
        for parent in self._line(callee):
            names |= self.parameters.get(parent, set())
        return names


def _arguments(node: ast.FunctionDef | ast.Lambda) -> list[ast.arg]:
    arguments = node.args
    extra = [entry for entry in (arguments.vararg, arguments.kwarg) if entry]
    return arguments.posonlyargs + arguments.args + arguments.kwonlyargs + extra


def _last_name(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(attr=name):
            return name
    return ""
