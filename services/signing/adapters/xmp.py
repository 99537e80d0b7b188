"""XMP metadata of a form's documents (ISO 16684-1): what they are, and which parts of ISO 19005 and ISO 14289 they keep to.

It is the same for all documents of a form and a school year, so it costs a document nothing. No date stands in it, because the
time that counts is that of the signatures; whose document it is says the attached record.
"""

from __future__ import annotations

from services.signing.adapters.official_forms import Form

_NAMESPACES = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "pdfaid": "http://www.aiim.org/pdfa/ns/id/",
    "pdfuaid": "http://www.aiim.org/pdfua/ns/id/",
    "pdfaExtension": "http://www.aiim.org/pdfa/ns/extension/",
    "pdfaSchema": "http://www.aiim.org/pdfa/ns/schema#",
    "pdfaProperty": "http://www.aiim.org/pdfa/ns/property#",
}
# PDF/A wants a description of every property that it doesn't know, and PDF/UA's own mark is one (ISO 19005-3, 6.6.2.3.3).
_XMP = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""'
    + "".join(f' xmlns:{prefix}="{name}"' for prefix, name in _NAMESPACES.items())
    + "><pdfaid:part>3</pdfaid:part><pdfaid:conformance>A</pdfaid:conformance><pdfuaid:part>1</pdfuaid:part>"
    '<dc:format>application/pdf</dc:format><dc:title><rdf:Alt><rdf:li xml:lang="x-default">{title} {year}</rdf:li></rdf:Alt></dc:title>'
    "<dc:language><rdf:Bag><rdf:li>vi-VN</rdf:li></rdf:Bag></dc:language>"
    '<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{schema}, {form}</rdf:li></rdf:Alt></dc:description>'
    '<xmp:CreatorTool>hocba</xmp:CreatorTool><pdfaExtension:schemas><rdf:Bag><rdf:li rdf:parseType="Resource">'
    "<pdfaSchema:schema>PDF/UA</pdfaSchema:schema><pdfaSchema:namespaceURI>http://www.aiim.org/pdfua/ns/id/</pdfaSchema:namespaceURI>"
    '<pdfaSchema:prefix>pdfuaid</pdfaSchema:prefix><pdfaSchema:property><rdf:Seq><rdf:li rdf:parseType="Resource">'
    "<pdfaProperty:name>part</pdfaProperty:name><pdfaProperty:valueType>Integer</pdfaProperty:valueType>"
    "<pdfaProperty:category>internal</pdfaProperty:category><pdfaProperty:description>Part of ISO 14289</pdfaProperty:description>"
    "</rdf:li></rdf:Seq></pdfaSchema:property></rdf:li></rdf:Bag></pdfaExtension:schemas></rdf:Description></rdf:RDF></x:xmpmeta>\n"
    '<?xpacket end="r"?>'
)


def metadata(form: Form, school_year: str) -> bytes:
    """The packet for a form and a school year."""
    year = school_year.replace("&", "&amp;").replace("<", "&lt;")
    return _XMP.format(title=form.facts["title"], year=year, schema=form.facts["attached"]["schema"], form=form.facts["template_version"]).encode()
