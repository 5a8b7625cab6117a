"""A contract for import-linter that may name rooms which are not built yet."""

from grimp import ImportGraph
from importlinter.contracts.forbidden import ForbiddenContract
from importlinter.domain.contract import ContractCheck


class RoomsForbidden(ForbiddenContract):
    """The "forbidden" contract; rooms of ours that do not exist yet are left out instead of refused."""

    type_name = "rooms_forbidden"

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Whether no room imports what it must not."""
        self.source_modules = self._existing(self.source_modules, graph)
        self.forbidden_modules = self._existing(self.forbidden_modules, graph)
        return super().check(graph, verbose)

    @staticmethod
    def _existing(expressions, graph: ImportGraph) -> set:
        return {e for e in expressions if not str(e).startswith("sync.") or str(e) in graph.modules}
