-- settle: end one reservation, exactly once. KEYS[1] the subject   KEYS[2] its ledger (list)
-- ARGV id mode refundCap ledgerMax ledgerLine, then window,actual pairs (a window not named: charge keeps what was reserved, give back takes 0)
--   mode s charge | f give back, the backend's fault | c give back, the client left: f and c each at most refundCap times per bucket of the
--   first window that is not a rate | v give back, nothing happened: not counted, no cap
-- reply DONE | KEPT asked back, but charged: refund cap reached, or others rode on this turn | LATE lease had run out, corrected
--   GONE settled before, or not seen yet (a later reserve of this id is refused)
-- fields: see reserve.lua. quota/embedded/settle.go is the same machine in Go: change both.
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local Q, id, mode, fmt, max = KEYS[1], 'r:' .. ARGV[1], ARGV[2], string.format, math.max
local s = redis.call('HMGET', Q, id, 'n', 'm', 'x')
local st, at, rest = string.match(s[1] or '', '^(%a) %d+ ?(%d*) ?(.*)$')
if not st then -- a tombstone: the reserve may still be on its way
  local exp, m = now + 120000, tonumber(s[3]) or 0
  redis.call('HSET', Q, id, fmt('X %.0f', exp), 'm', fmt('%.0f', m > 0 and m < exp and m or exp))
  if (tonumber(s[4]) or 0) < exp then
    local x = fmt('%.0f', exp + 90000000)
    redis.call('HSET', Q, 'x', x)
    redis.call('PEXPIREAT', Q, x)
  end
end
if not st or st == 'X' then return 'GONE' end

local keep = tonumber(ARGV[4])
local function ended(status) -- the last step: what the ledger keeps of it
  if keep > 0 and ARGV[5] ~= '' then
    local len = redis.call('LPUSH', KEYS[2], fmt('%.0f %s %s ', now, status, mode) .. ARGV[5])
    if len >= 2 * keep then redis.call('LTRIM', KEYS[2], 0, keep - 1) end
    redis.call('PEXPIRE', KEYS[2], '172800000')
  end
  return status
end

-- by far the most endings: the charge stays just as it was taken, and no window changes
if mode == 's' and st == 'A' and #ARGV <= 5 then
  redis.call('HSET', Q, 'n', max(0, (tonumber(s[2]) or 1) - 1))
  redis.call('HDEL', Q, id)
  return ended('DONE')
end

local actual, rec, names = {}, {}, {}
for i = 6, #ARGV, 2 do actual[ARGV[i]] = tonumber(ARGV[i+1]) end
for name, amt, floor, change in string.gmatch(rest, '(%S+) (%d+) (%d+) (%S+)') do
  names[#names+1] = 'w:' .. name
  rec[#names] = {name = name, amt = tonumber(amt), held = tonumber(st == 'E' and floor or amt), change = tonumber(change)}
end
local stored, first = #names > 0 and redis.call('HMGET', Q, unpack(names)) or {}, nil
for i = 1, #names do
  local w = rec[i]
  w.u, w.b, w.e, w.f, w.credit, w.c = string.match(stored[i] or '', '^(%d+) (%d+) (%d+) (%d+) (%d+) (%d+)$')
  w.bucket = w.u and w.b ~= '0' -- a rate is never given back
  w.running = w.bucket and tonumber(w.b) <= tonumber(at) -- still the bucket it was charged to
  if w.bucket and not first then first = i end
end

-- how often this may happen is counted where it matters: on the first window that is not a rate, in the bucket that took the charge
local back, capped, kept = mode ~= 's', false, false
local counted = back and mode ~= 'v' and first and rec[first].running and first
if counted and tonumber(rec[first][mode]) >= tonumber(ARGV[3]) then capped = true; kept = true end

local set = {}
if st == 'A' then set[1] = 'n'; set[2] = max(0, (tonumber(s[2]) or 1) - 1) end
for i = 1, #names do
  local w = rec[i]
  if w.bucket then
    local undo = back and not capped
    if undo and w.running and w.amt > 0 and tonumber(w.credit) < w.change then undo = false; kept = true end -- somebody rode on this turn
    local target = actual[w.name]
    if back and not undo then target = max(target or 0, w.amt) -- the charge stays, whatever was counted
    elseif not target then target = undo and 0 or w.amt end
    if w.running then
      w.u = max(0, w.u + target - w.held)
      if undo then w.credit = max(0, w.credit - w.change) end
    end
    if undo and i == counted then w[mode] = w[mode] + 1 end
    if back or target ~= w.held then
      set[#set+1] = names[i]; set[#set+1] = fmt('%.0f %s %s %.0f %.0f %.0f', w.u, w.b, w.e, w.f, w.credit, w.c)
    end
  end
end
if #set > 0 then redis.call('HSET', Q, unpack(set)) end -- the write that memory limits can refuse comes first: all or nothing
redis.call('HDEL', Q, id)

return ended(kept and 'KEPT' or st == 'E' and 'LATE' or 'DONE')
