"""Tables of data: their files, headers, cells and columns, and the structure in each row."""
