"""`python -m api_docs`, called by `make docs`, writes the document."""

from api_docs.document import PATH, as_text

PATH.write_text(as_text(), encoding="utf-8")
