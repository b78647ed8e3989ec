"""The image's way in. All that is imported here is in the image as it stands after importing: a part begins there."""

import library  # first: it keeps the modules that are imported below or by a script
import preloaded  # noqa: F401  imported for the sake of importing

import script
import wit_world
from wit_world.imports import part


class WitWorld(wit_world.WitWorld):
    def run(self) -> None:
        part.exit(script.run(part.arguments()))


library.seal()
