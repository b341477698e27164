"""One reader for each format. Each yields examples and raises `MalformedError` at the first line
that breaks the format; what a format's own rules leave out is counted in `notes`."""
