-- Sends requests with 10 kB of content. The request is prepared once, as without a script.

dofile(debug.getinfo(1, "S").source:match("^@(.*/)") .. "summary.lua")

wrk.method = "POST"
wrk.body = string.rep("0123456789", 1000)
