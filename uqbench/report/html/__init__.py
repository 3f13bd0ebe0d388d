"""One self-contained page of a folder of records, to sort, filter and look into: plotly.js, DataTables, no network."""
