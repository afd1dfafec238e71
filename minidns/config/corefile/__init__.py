"""A Corefile becomes a `Config`, or a `CorefileError` that names file and line.

CoreDNS's configuration language: lexer (text to tokens), imports (snippets and files put in place), tree
(tokens to server blocks and lines), plugins (a line to a field), reader (all of it to a Config), describe (a
Config to a few lines).
"""

from minidns.config.corefile.describe import describe
from minidns.config.corefile.lexer import CorefileError
from minidns.config.corefile.reader import Checked, check, parse, read

__all__ = ["Checked", "CorefileError", "check", "describe", "parse", "read"]
