"""What a synthetic image says of itself, wherever its file goes: provenance in XMP, in the PNG.

`Iptc4xmpExt:DigitalSourceType` is the IPTC's mark of images made by a trained model, which viewers,
search engines and `exiftool` read. The other properties are the columns of the data set.
"""

import io
import re
from collections.abc import Iterator, Mapping
from xml.sax.saxutils import escape

import numpy as np
from jaxtyping import UInt8
from PIL import Image
from PIL.PngImagePlugin import PngInfo

KEYWORD = "XML:com.adobe.xmp"  # of the chunk, as the XMP specification says
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
NAMESPACES = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "mvc": "urn:mixing-visual-concepts:provenance:",
}
PACKET = """\
<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" {namespaces}>
{properties}
</rdf:Description>
</rdf:RDF>
</x:xmpmeta>
<?xpacket end="r"?>"""
SAID = "Synthetic image of the class {}, made by Mixing Visual Concepts (MVC): not a photograph"
# Characters that XML does not allow, lone surrogates among them.
FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def encode_marked(pixels: UInt8[np.ndarray, "h w"] | UInt8[np.ndarray, "h w 3"], row: Mapping):
    """Encode a synthetic image as PNG with its provenance.

    Args:
        row: of the data set's table: `class_name`, and columns by name, of which None is left out.
    """
    chunks, buffer = PngInfo(), io.BytesIO()
    chunks.add_itxt(KEYWORD, format_xmp(row))
    Image.fromarray(pixels).save(buffer, format="PNG", pnginfo=chunks)
    return buffer.getvalue()


def format_xmp(row: Mapping) -> str:
    """Format the provenance of a synthetic image as an XMP packet."""
    namespaces = " ".join(f'xmlns:{name}="{uri}"' for name, uri in NAMESPACES.items())
    return PACKET.format(namespaces=namespaces, properties="\n".join(_list_properties(row)))


def _list_properties(row: Mapping) -> Iterator[str]:
    yield f"<Iptc4xmpExt:DigitalSourceType>{SOURCE_TYPE}</Iptc4xmpExt:DigitalSourceType>"
    said = f'<rdf:li xml:lang="x-default">{_escape(SAID.format(row["class_name"]))}</rdf:li>'
    yield f"<dc:description><rdf:Alt>{said}</rdf:Alt></dc:description>"
    yield "<xmp:CreatorTool>Mixing Visual Concepts</xmp:CreatorTool>"
    for name, value in row.items():
        if isinstance(value, list):
            items = "".join(f"<rdf:li>{_escape(item)}</rdf:li>" for item in value)
            yield f"<mvc:{name}><rdf:Bag>{items}</rdf:Bag></mvc:{name}>"
        elif value is not None:
            yield f"<mvc:{name}>{_escape(value)}</mvc:{name}>"


def _escape(value: object) -> str:
    return escape(FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", str(value)))
