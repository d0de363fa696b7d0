-- Prints what wrk measured as one line of JSON. It defines neither `request` nor `response`, so
-- that wrk keeps sending one prepared request and the script costs nothing while the load runs.

function done(summary, latency, requests)
    local errors = summary.errors
    io.write(string.format(
        'SUMMARY {"requests": %d, "microseconds": %d, "bytes": %d, '
            .. '"p50": %.1f, "p99": %.1f, "longest": %.1f, '
            .. '"errors": {"connect": %d, "read": %d, "write": %d, "status": %d, "timeout": %d}}\n',
        summary.requests, summary.duration, summary.bytes,
        latency:percentile(50), latency:percentile(99), latency.max,
        errors.connect, errors.read, errors.write, errors.status, errors.timeout))
end
