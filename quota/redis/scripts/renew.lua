-- renew: prolong the leases of running requests of one subject. KEYS[1] the subject | ARGV lease id...
-- reply: 1 or 0 per id: does it still live? One that ran out stays out: its slot may be someone else's; its settle is LATE and still correct.
-- fields: see reserve.lua. quota/embedded/renew.go is the same machine in Go: change both.
local t = redis.call('TIME')
local exp = t[1] * 1000 + math.floor(t[2] / 1000) + ARGV[1]
local Q, fmt, names = KEYS[1], string.format, {'x'}
for i = 2, #ARGV do names[i] = 'r:' .. ARGV[i] end
local s, out, set = redis.call('HMGET', Q, unpack(names)), {}, {}
for i = 2, #ARGV do
  local rest = string.match(s[i] or '', '^A %d+(.*)$')
  out[i-1] = rest and 1 or 0
  if rest then set[#set+1] = names[i]; set[#set+1] = fmt('A %.0f', exp) .. rest end
end
if #set > 0 then
  local grow = (tonumber(s[1]) or 0) < exp + 3600000
  local x = fmt('%.0f', exp + 90000000)
  if grow then set[#set+1] = 'x'; set[#set+1] = x end
  redis.call('HSET', Q, unpack(set))
  if grow then redis.call('PEXPIREAT', Q, x) end
end
return out
