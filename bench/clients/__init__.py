"""Programs that `bench_consume` starts and measures; each ends with a line of JSON that holds its seconds."""
