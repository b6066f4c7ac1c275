"""The kinds of syntax nodes, under libcst's names, without libcst: loading it takes longer than most checks.

For the type checker they are libcst's own classes, since a light tree and a full one are read alike. At run
time they are empty classes, which light nodes inherit from; `lint_rules._light.full` makes libcst's nodes
instances of them as well, where it is loaded. So ask with `isinstance`, never by `type(node)`: neither kind of
tree has nodes of these very classes. None of them is an abstract base class, whose "no" would be slow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

# Each class with those right below it; what nobody asks after is left out in between.
BELOW = {
    "CSTNode": """
        BaseExpression BaseSlice BaseSmallStatement BaseStatement BaseSuite MatchPattern
        Add And BitAnd BitInvert BitOr BitXor Divide Equal FloorDivide GreaterThan GreaterThanEqual In Is IsNot
        LeftShift LessThan LessThanEqual MatrixMultiply Minus Modulo Multiply Not NotEqual NotIn Or Plus Power
        RightShift Subtract
        AddAssign BitAndAssign BitOrAssign BitXorAssign DivideAssign FloorDivideAssign LeftShiftAssign
        MatrixMultiplyAssign ModuloAssign MultiplyAssign PowerAssign RightShiftAssign SubtractAssign
        Annotation Arg AsName AssignTarget CompFor CompIf ComparisonTarget Decorator DictElement Dot Element Else
        ExceptHandler Finally FormattedStringExpression FormattedStringText From ImportAlias ImportStar MatchCase
        MatchKeywordElement MatchMappingElement MatchOrElement MatchSequenceElement MatchStar Module NameItem Param
        ParamStar Parameters StarredDictElement SubscriptElement TemplatedStringText WithItem
    """,
    "BaseExpression": """
        Attribute Await BinaryOperation BooleanOperation Call Comparison ConcatenatedString Dict DictComp Ellipsis
        Float FormattedString GeneratorExp IfExp Integer Lambda List ListComp Name NamedExpr Set SetComp
        SimpleString StarredElement Subscript TemplatedString Tuple UnaryOperation Yield
    """,
    "BaseSlice": "Index Slice",
    "BaseSmallStatement": """
        AnnAssign Assert Assign AugAssign Break Continue Del Expr Global Import ImportFrom LazyImport
        LazyImportFrom Nonlocal Pass Raise Return TypeAlias
    """,
    "BaseStatement": "BaseCompoundStatement SimpleStatementLine",
    "BaseCompoundStatement": "ClassDef For FunctionDef If Match Try TryStar While With",
    "BaseSuite": "IndentedBlock",
    "MatchPattern": "MatchAs MatchClass MatchMapping MatchOr MatchSequence MatchSingleton MatchValue",
    "MatchSequence": "MatchList",
}

if TYPE_CHECKING:
    from libcst import *  # noqa: F403
else:

    def _class(name, *bases):
        return type(name, bases, {"__slots__": (), "__module__": __name__})

    CSTNode = _class("CSTNode")
    for _base, _names in BELOW.items():
        for _name in _names.split():
            globals()[_name] = _class(_name, globals()[_base])
