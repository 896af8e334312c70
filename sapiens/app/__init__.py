"""The web app: one page for people and HTTP for programs, from one server (`sapiens serve`)."""
