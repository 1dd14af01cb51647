"""`python -m api_docs` writes the document; `make docs` calls it."""

from api_docs.document import PATH, as_text

PATH.write_text(as_text(), encoding="utf-8")
