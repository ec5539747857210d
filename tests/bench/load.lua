-- wrk's side of a scenario: arguments are the method and the size of the body; the result is one line of JSON.

function init(args)
    wrk.method = args[1]
    local bytes = tonumber(args[2])
    if bytes > 0 then
        wrk.body = string.rep("x", bytes)
        wrk.headers["Content-Type"] = "application/octet-stream"
    end
end

function done(summary, latency, requests)
    local e = summary.errors
    io.write(string.format(
        'RESULT {"requests":%d,"bytes":%d,"wall_us":%d,"mean_us":%.1f,"p50_us":%d,"p99_us":%d,"p999_us":%d,"max_us":%d,'
            .. '"errors":{"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d}}\n',
        summary.requests, summary.bytes, summary.duration, latency.mean, latency:percentile(50),
        latency:percentile(99), latency:percentile(99.9), latency.max, e.connect, e.read, e.write, e.status, e.timeout))
end
