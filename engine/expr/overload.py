"""Which function a call means: PostgreSQL's overload resolution, and the casts that it implies.

One algorithm (`select`) serves functions, operators, aggregates and table functions, because a candidate is nothing
but a row with parameter types. From the PostgreSQL manual, chapter 10 "Type Conversion", and parse_func.c.
"""

import difflib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Final, Protocol, TypeVar, runtime_checkable

from engine import types
from engine.collection.value import Plain
from engine.errors import AmbiguousFunction, CannotCoerce, TypeMismatch, UndefinedFunction, Unsupported
from engine.expr import absent
from engine.expr.aggregate import AGGREGATES, Kind, Overload
from engine.expr.functions.casts import cast_function
from engine.expr.functions.families import FUNCTIONS, TABLE_FUNCTIONS
from engine.expr.literal import literal_of_text
from engine.expr.polymorphic import common_record, result_of, solved
from engine.expr.registry import Function, Generic, Placeholder
from engine.expr.scalar import Call, Literal, Scalar
from engine.expr.table import GenericTable, TableFunction
from engine.types import CastContext, Category, Nesting, SqlType, cast_context

Types = tuple[SqlType, ...]

TAKES_JSON = frozenset({Kind.JSONB_AGG, Kind.JSONB_OBJECT_AGG})
"""Aggregates whose arguments of type jsonb take any type: `cast` brings it there by to_jsonb."""

IN_WORDS: Final = {"is_distinct_from": "=", "is_not_distinct_from": "="}
"""Operators that are written in words, and the one by whose rules they are resolved; errors name that too."""

HINT = "No {kind} matches the given name and argument types. You might need to add explicit type casts."


@runtime_checkable
class Candidate(Protocol):
    """Whatever can be resolved by its parameters."""

    @property
    def parameters(self) -> Types: ...


C = TypeVar("C", bound=Candidate)


def resolve_function(name: str, arguments: Sequence[SqlType]) -> tuple[Function, Types]:
    """The overload that name(arguments) means, and the type to cast each argument to (implicitly).

    Raises UndefinedFunction (42883) or AmbiguousFunction (42725). UNKNOWN stands for an untyped literal.
    """
    arguments = _plain(arguments)
    found = _choose(name, FUNCTIONS.get(name, ()), arguments)
    if found is None:
        target = types.ALIASES.get(name)
        if target is not None and len(arguments) == 1:  # typename(x) is a cast, as in PostgreSQL: date(t), text(n)
            function = cast_function(arguments[0], target, CastContext.EXPLICIT)
            if function is not None:
                return function, function.parameters
        for candidate in FUNCTIONS.get(name, ()):
            if candidate.parameters == (types.ANYCOMPATIBLE,) and isinstance(candidate, Generic) and candidate.variadic:
                common_type(arguments, name.upper())  # greatest and least are no functions: which types are not alike
        raise _undefined(name, arguments, FUNCTIONS)
    candidate, parameters = found
    return _instantiate(candidate, parameters), parameters


def resolve_operator(operator: str, arguments: Sequence[SqlType]) -> tuple[Function, Types]:
    """As resolve_function, for a unary (one argument) or binary operator by its SQL spelling."""
    arguments = _plain(arguments)
    candidates = FUNCTIONS.get(operator, ())
    guess = arguments
    if len(arguments) == 2 and types.UNKNOWN in arguments and arguments[0] != arguments[1]:
        known = arguments[0] if arguments[1] == types.UNKNOWN else arguments[1]
        guess = (known, known)  # an untyped literal beside a type is first tried as that type
    for candidate in candidates:
        if isinstance(candidate, Function) and candidate.parameters == guess:
            return candidate, guess
        if isinstance(candidate, Generic) and guess != arguments and _expand(candidate, guess) == guess:
            return candidate.instantiate(guess), guess
    found = _choose(operator, candidates, arguments)
    if found is None:
        raise UndefinedFunction(
            f"operator does not exist: {shown(operator, arguments)}", hint=HINT.format(kind="operator")
        )
    candidate, parameters = found
    return _instantiate(candidate, parameters), parameters


def resolve_aggregate(name: str, arguments: Sequence[SqlType]) -> tuple[Overload, Types]:
    """The aggregate that name(arguments) means and the casts of its arguments; count(*) has no arguments."""
    arguments = _plain(arguments)
    candidates = AGGREGATES.get(name, ())
    for candidate in candidates:
        if candidate.kind in TAKES_JSON and len(candidate.parameters) == len(arguments):
            return candidate, candidate.parameters
    found = _choose(name, candidates, arguments)
    if found is None:
        raise _undefined(name, arguments, AGGREGATES)
    candidate, parameters = found
    if types.POLYMORPHIC.isdisjoint(candidate.parameters):
        return found
    result = result_of(candidate.result, candidate.parameters, parameters)
    return replace(candidate, parameters=parameters, result=result), parameters


def resolve_table_function(
    name: str, arguments: Sequence[SqlType], values: Sequence[Plain] = ()
) -> tuple[TableFunction, Types]:
    """The table function that name(arguments) in FROM means and the casts of its arguments.

    `values` are those of literal arguments, None for the others.
    """
    arguments = _plain(arguments)
    found = _choose(name, TABLE_FUNCTIONS.get(name, ()), arguments)
    if found is None:
        raise _undefined(name, arguments, TABLE_FUNCTIONS)
    candidate, parameters = found
    if not isinstance(candidate, GenericTable):
        return candidate, parameters
    if candidate.constants:
        return candidate.instantiate(parameters, values[: candidate.constants]), parameters
    return candidate.instantiate(parameters), parameters


def is_function(name: str) -> bool:
    """Whether a scalar function or operator of that name exists, whatever its parameters."""
    return name in FUNCTIONS


def is_aggregate(name: str) -> bool:
    """Whether an aggregate of that name exists."""
    return name in AGGREGATES


def is_table_function(name: str) -> bool:
    """Whether a table function of that name exists."""
    return name in TABLE_FUNCTIONS


def call(name: str, *arguments: Scalar) -> Call:
    """name(arguments), resolved and with its implicit casts: operators by their spelling, call("+", a, b)."""
    kinds = [argument.type for argument in arguments]
    resolve = resolve_function if _is_name(name) else resolve_operator
    function, parameters = resolve(name, kinds)
    given = tuple(cast(a, t, CastContext.IMPLICIT) for a, t in zip(arguments, parameters, strict=True))
    return Call(function, given, function.result)


def common_type(kinds: Iterable[SqlType], clause: str = "CASE") -> SqlType:
    """The one type that UNION branches, CASE results, VALUES columns, COALESCE arguments... are brought to.

    PostgreSQL's rule: all equal (modifier included): that; untyped literals alone: text; else one category, and of it
    the first type that the others implicitly become. Raises TypeMismatch or CannotCoerce naming `clause`.
    """
    kinds = list(kinds)
    if kinds and kinds[0] != types.UNKNOWN and all(kind == kinds[0] for kind in kinds):
        return kinds[0]
    if kinds and all(kind.nesting is Nesting.RECORD for kind in kinds):
        return common_record(kinds, lambda pair: common_type(pair, clause))
    chosen: SqlType | None = None
    for kind in (kind.plain for kind in kinds if kind != types.UNKNOWN):
        if chosen is None or kind == chosen:
            chosen = kind
        elif kind.category is not chosen.category:
            raise TypeMismatch(f"{clause} types {chosen.name} and {kind.name} cannot be matched")
        elif not chosen.preferred and _implicit(chosen, kind) and not _implicit(kind, chosen):
            chosen = kind
    if chosen is None:
        return types.TEXT
    for kind in kinds:
        if not _implicit(kind, chosen):
            raise CannotCoerce(f"{clause} could not convert type {kind.name} to {chosen.name}")
    return chosen


def cast(expression: Scalar, to: SqlType, context: CastContext = CastContext.EXPLICIT) -> Scalar:
    """`expression` as a `to`, if such a cast may stand in `context`.

    An untyped literal is read as a `to` at once and raises the error of its text (22P02, 22007, 22003...). Otherwise
    raises CannotCoerce (42846), or TypeMismatch (42804) where only an explicit cast would do.
    """
    source = expression.type
    if isinstance(expression, Literal):
        if expression.value is None and (source == to or _may_become(source, to, context)):
            return Literal(None, to)
        if source == types.UNKNOWN:
            assert isinstance(expression.value, str)
            if to in types.REGISTERED and not expression.value.strip().isdigit():
                return cast(Literal(expression.value, types.TEXT), to)  # a name, which the catalog knows
            if to.nesting is Nesting.ARRAY and types.is_registered(to):
                return cast(literal_of_text(expression.value, types.array_of(types.TEXT)), to, CastContext.EXPLICIT)
            return literal_of_text(expression.value, to, explicit=context is CastContext.EXPLICIT)
    if source == types.UNKNOWN and isinstance(expression, Call) and isinstance(expression.function, Placeholder):
        assert expression.function.become is not None
        placeholder = expression.function.become(to.plain)
        expression, source = Call(placeholder, (), placeholder.result), placeholder.result
    if source == to or (source.plain == to and not to.modifier):
        return expression
    least = cast_context(source, to)
    if to == types.JSONB and context is CastContext.IMPLICIT and least is not CastContext.IMPLICIT:
        return call("to_jsonb", expression)
    function = cast_function(source, to, context)
    if least is None or function is None:
        raise CannotCoerce(f"cannot cast type {source.name} to {to.name}")
    if least > context:
        raise TypeMismatch(
            f"expression is of type {source.name}, but {to.name} is needed",
            hint="You will need to rewrite or cast the expression.",
        )
    return Call(function, (expression,), to)


def _may_become(source: SqlType, to: SqlType, context: CastContext) -> bool:
    """Whether a cast may stand there, whatever the value."""
    least = cast_context(source, to)
    return least is not None and least <= context


def select(arguments: Types, candidates: list[tuple[C, Types]]) -> tuple[C, Types] | None:
    """The best of the candidates that the arguments can implicitly become; None: there is no one best.

    Each candidate comes with its parameters, one per argument. PostgreSQL manual 10.3, steps 4.a to 4.f.
    """
    known = [i for i, argument in enumerate(arguments) if argument != types.UNKNOWN]
    unknown = [i for i, argument in enumerate(arguments) if argument == types.UNKNOWN]

    def exact(parameters: Types) -> int:
        return sum(parameters[i] == arguments[i] for i in known)

    def favoured(parameters: Types) -> int:
        return sum(parameters[i] == arguments[i] or _preferred(parameters[i], arguments[i]) for i in known)

    for score in (exact, favoured):
        candidates = _best(candidates, score)
        if len(candidates) == 1:
            return candidates[0]
    fitting = candidates
    for i in unknown:
        offered = {parameters[i].category for _, parameters in candidates}
        if Category.STRING in offered:
            category = Category.STRING
        elif len(offered) == 1:
            category = offered.pop()
        else:
            candidates = fitting  # the literals say nothing
            break
        candidates = [pair for pair in candidates if pair[1][i].category is category]
        if any(parameters[i].preferred for _, parameters in candidates):
            candidates = [pair for pair in candidates if pair[1][i].preferred]
    if len(candidates) == 1:
        return candidates[0]
    same = {arguments[i] for i in known}
    if unknown and len(same) == 1:  # all the known arguments have one type: the literals are taken for it too
        kind = same.pop()
        agreeing = [pair for pair in candidates if all(_implicit(kind, pair[1][i]) for i in unknown)]
        if len(agreeing) == 1:
            return agreeing[0]
    return None


def shown(name: str, arguments: Sequence[SqlType]) -> str:
    """A call as error messages write it: f(integer, text), integer + text, - text."""
    names = [argument.name for argument in arguments]
    name = IN_WORDS.get(name, name)
    if _is_name(name):
        return f"{name}({', '.join(names)})"
    return f" {name} ".join(names) if len(names) > 1 else f"{name} {names[0]}"


def _is_name(name: str) -> bool:
    return (name[0].isalpha() or name[0] == "_") and name not in IN_WORDS


def _choose(name: str, candidates: Sequence[C], arguments: Types) -> tuple[C, Types] | None:
    """The candidate that the arguments mean, with a parameter per argument; None where none can take them."""
    is_operator = not _is_name(name)
    fitting: list[tuple[C, Types]] = []
    for candidate in candidates:
        parameters = _expand(candidate, arguments)
        if parameters is None:
            continue
        if parameters == arguments:
            return candidate, parameters
        if all(p.category is Category.PSEUDO or _implicit(a, p) for a, p in zip(arguments, parameters, strict=True)):
            fitting.append((candidate, parameters))
    if not fitting:
        return None
    best = fitting[0] if len(fitting) == 1 else select(arguments, fitting)
    if best is None and is_operator and len(arguments) == 2 and arguments.count(types.UNKNOWN) == 1:
        known = next(a for a in arguments if a != types.UNKNOWN)
        return _choose(name, candidates, (known,) * len(arguments))
    if best is None:
        raise AmbiguousFunction(
            f"operator is not unique: {shown(name, arguments)}"
            if is_operator
            else f"function {shown(name, arguments)} is not unique",
            hint="Could not choose a best candidate. You might need to add explicit type casts.",
        )
    candidate, parameters = best
    return candidate, _settled(parameters, arguments)


def _expand(candidate: Candidate, arguments: Types) -> Types | None:
    """The candidate's parameters, one per argument, pseudo-types as they are; None: it cannot take these arguments."""
    parameters = candidate.parameters
    if isinstance(candidate, Generic) and candidate.variadic:
        fixed = parameters[:-1]
        repeats = len(arguments) - len(fixed)
        if repeats < candidate.least:
            return None
        parameters = fixed + parameters[-1:] * repeats
    if len(parameters) != len(arguments):
        return None
    if types.ANYCOMPATIBLE in parameters:
        meant = [a for a, p in zip(arguments, parameters, strict=True) if p == types.ANYCOMPATIBLE]
        if not _compatible(meant):
            return None
    if isinstance(candidate, Generic) and not _is_name(candidate.name) and types.ANYELEMENT in parameters:
        whole = next((a for a, p in zip(arguments, parameters, strict=True) if p != types.ANYELEMENT), None)
        if whole == types.UNKNOWN:
            return None  # 'a' || 1 is no array with an element behind it
    return solved(parameters, arguments, _common)


def _settled(parameters: Types, arguments: Types) -> Types:
    """The parameters with what the arguments make of the pseudo-types among them."""
    if types.ANYCOMPATIBLE in parameters:
        meant = [a for a, p in zip(arguments, parameters, strict=True) if p == types.ANYCOMPATIBLE]
        common = common_type(meant).plain
        parameters = tuple(common if p == types.ANYCOMPATIBLE else p for p in parameters)
    return tuple(
        (types.TEXT if a == types.UNKNOWN else a) if p == types.ANY else p
        for a, p in zip(arguments, parameters, strict=True)
    )


def _instantiate(candidate: Function | Generic, parameters: Types) -> Function:
    return candidate.instantiate(parameters) if isinstance(candidate, Generic) else candidate


def _best(candidates: list[tuple[C, Types]], score: Callable[[Types], int]) -> list[tuple[C, Types]]:
    scores = [score(parameters) for _, parameters in candidates]
    top = max(scores, default=0)
    return [pair for pair, points in zip(candidates, scores, strict=True) if points == top]


def _preferred(parameter: SqlType, argument: SqlType) -> bool:
    return parameter.preferred and parameter.category is argument.category


def _implicit(source: SqlType, target: SqlType) -> bool:
    return cast_context(source, target) is CastContext.IMPLICIT


def _common(kinds: Iterable[SqlType]) -> SqlType:
    return common_type(kinds).plain


def _compatible(kinds: Sequence[SqlType]) -> bool:
    try:
        common_type(kinds)
    except (TypeMismatch, CannotCoerce):
        return False
    return True


def _plain(arguments: Sequence[SqlType]) -> Types:
    return tuple(argument.plain for argument in arguments)


def _undefined(name: str, arguments: Types, table: Iterable[str]) -> UndefinedFunction | Unsupported:
    if name in absent.FUNCTIONS:
        return Unsupported(f"{name}() is not supported", hint=absent.FUNCTIONS[name])
    near = [] if name in table else difflib.get_close_matches(name, [n for n in table if _is_name(n)], n=1)
    hint = f'Perhaps you meant "{near[0]}".' if near else HINT.format(kind="function")
    return UndefinedFunction(f"function {shown(name, arguments)} does not exist", hint=hint)
