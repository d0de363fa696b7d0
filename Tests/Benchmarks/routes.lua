-- Sends requests that are spread over a table of routes: wrk -s routes.lua URL -- HOSTS PREFIXES
--
-- The order is shuffled, always in the same way, so that neighbouring requests use distant routes
-- and no cache of the processor makes a large table look small.

dofile(debug.getinfo(1, "S").source:match("^@(.*/)") .. "summary.lua")

local prepared = {}
local position = 0

function init(arguments)
    local hosts, prefixes = tonumber(arguments[1]), tonumber(arguments[2])
    for host = 0, hosts - 1 do
        for prefix = 0, prefixes - 1 do
            local fields = {Host = string.format("host-%d.example.test", host)}
            prepared[#prepared + 1] = wrk.format("GET", string.format("/p%d/item", prefix), fields)
        end
    end
    math.randomseed(9112)
    for last = #prepared, 2, -1 do
        local other = math.random(last)
        prepared[last], prepared[other] = prepared[other], prepared[last]
    end
end

function request()
    position = position % #prepared + 1
    return prepared[position]
end
