-- For wrk: POSTs one text after another to /predict and says what happened as one line of JSON.
local texts = {}
for line in io.lines(os.getenv("HONE_TEXTS")) do texts[#texts + 1] = line end
local at = 0

request = function()
  at = at % #texts + 1
  return wrk.format("POST", "/predict", { ["Content-Type"] = "application/json" }, texts[at])
end

done = function(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"seconds":%f,"p50_ms":%f,"p95_ms":%f,"p99_ms":%f,"worst_ms":%f,' ..
    '"connect_errors":%d,"read_errors":%d,"write_errors":%d,"status_errors":%d,"timeouts":%d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(95) / 1e3,
    latency:percentile(99) / 1e3, latency.max / 1e3,
    errors.connect, errors.read, errors.write, errors.status, errors.timeout))
end
