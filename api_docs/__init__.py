"""The API's description: what every route takes and answers, beside the functions and never imported by them."""
