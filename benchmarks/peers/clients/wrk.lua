-- What wrk sends, byte for byte, and what it saw, as one line of JSON. Arguments after "--":
--   KIND HOST PATH [COUNT]
-- host      the Host field and nothing else
-- browser   a browser's 12 fields, the same in every request
-- differing the same, but the Cookie differs in every request, so that nothing can be remembered by its bytes
-- close     Host, and Connection: close: a new connection per request
-- upload    PUT with a body of COUNT bytes
-- hosts     Host only, over COUNT hosts (host-0.example.com …) in turn

local browser = table.concat({
  "Connection: keep-alive",
  'sec-ch-ua: "Chromium";v="156", "Not A Brand";v="24"',
  "sec-ch-ua-mobile: ?0",
  'sec-ch-ua-platform: "Linux"',
  "Upgrade-Insecure-Requests: 1",
  "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36",
  "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
  "Sec-Fetch-Mode: navigate",
  "Accept-Encoding: gzip, deflate, br, zstd",
  "Accept-Language: en-GB,en;q=0.9",
}, "\r\n")

local function head(method, path, host, fields)
  return method .. " " .. path .. " HTTP/1.1\r\nHost: " .. host .. "\r\n" .. fields .. "\r\n"
end

local number = 0
local kinds = {
  host = function(host, path) return head("GET", path, host, "") end,
  browser = function(host, path)
    return head("GET", path, host, browser .. "\r\nCookie: session=000000000000\r\n")
  end,
  close = function(host, path) return head("GET", path, host, "Connection: close\r\n") end,
  upload = function(host, path, count)
    return head("PUT", path, host, "Content-Length: " .. count .. "\r\n") .. string.rep("u", count)
  end,
}

-- Kinds that make each request anew cost the client about a microsecond, on its own core.
local changing = {
  differing = function(host, path)
    local before = head("GET", path, host, browser .. "\r\nCookie: session="):sub(1, -3)
    return function()
      number = number + 1
      return before .. string.format("%012d\r\n\r\n", number)
    end
  end,
  hosts = function(host, path, count)
    return function()
      number = number + 1
      return head("GET", path, "host-" .. (number % count) .. ".example.com", "")
    end
  end,
}

function init(args)
  local kind, host, path, count = args[1], args[2], args[3], tonumber(args[4] or 0)
  if changing[kind] then
    request = changing[kind](host, path, count) -- a global of this name is asked for every request
  else
    local message = kinds[kind](host, path, count)
    wrk.format = function() return message end -- asked once
  end
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests": %d, "bytes": %.0f, "duration_us": %d, "connect": %d, "read": %d, "write": %d, "status": %d, ' ..
      '"timeout": %d, "p50_us": %.0f, "p99_us": %.0f, "p999_us": %.0f}\n',
    summary.requests, summary.bytes, summary.duration, errors.connect, errors.read, errors.write, errors.status,
    errors.timeout, latency:percentile(50), latency:percentile(99), latency:percentile(99.9)))
end
