"""The API's description: the requests and answers of every route. Functions never import it."""
