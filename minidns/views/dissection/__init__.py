"""A DNS message taken apart: every byte named, once, with its value and the section of the RFC that says so. Pure.

    dissect(packet)        # any bytes; what cannot be read is a field that says why
    to_json(dissection)    # for the page and for programs

Start reading: `fields`, then `message`.
"""

from minidns.views.dissection.fields import Bit, Dissection, Field, Part, to_json
from minidns.views.dissection.message import dissect

__all__ = ["Bit", "Dissection", "Field", "Part", "dissect", "to_json"]
