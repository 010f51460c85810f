"""Paths as PostgreSQL's src/port/path.c computes them: on the text, never asking the file system."""


def canonical(path: str) -> str:
    """canonicalize_path() of PostgreSQL 15 and later: no `//`, no `.`, no `..` that has a parent."""
    absolute = path.startswith("/")
    kept: list[str] = []
    for part in path.split("/"):
        if part in ("", "."):
            continue
        if part == ".." and kept and kept[-1] != "..":
            kept.pop()
        elif part != ".." or not absolute:
            kept.append(part)
    return ("/" if absolute else "") + "/".join(kept) or "."


def parent(path: str) -> str:
    """The directory that holds `path`."""
    head = path.rstrip("/").rpartition("/")[0].rstrip("/")
    return head or "/"


def join(directory: str, name: str) -> str:
    """join_path_components(), made canonical."""
    return canonical(f"{directory}/{name}")


def located(location: str, calling_file: str | None, data_directory: str | None) -> str:
    """AbsoluteConfigLocation(): an absolute location stays as it is written.

    A relative one counts from the folder of the including file, as that file was named (a symbolic
    link's folder, not its target's), or from the data directory where no file includes it.
    """
    if location.startswith("/"):
        return location
    return join(parent(calling_file) if calling_file else data_directory or "/", location)
