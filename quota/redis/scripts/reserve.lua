-- reserve: one request asks for a charge. Atomic; idempotent by reservation id; the only clock is the store's.
-- KEYS[1] the subject (hash)
-- ARGV  id iat sid cap lease nw, then 8 per window: name kind limit amount floor from to credit
--   kind c calendar bucket [from,to) ms | f first-use bucket, from = length ms | g rate (GCRA), from = ms per unit, to = burst units
--   limit -1 counts only | floor stays charged if the lease runs out | credit +K opens a turn, -K is a step inside one, 0 no turns
-- reply "id status now inflight" then " used limit end" per window (g: end = earliest retry), one string: parsed without allocations
--   taken: OK, REPLAY (this id holds its charge already)   nothing taken: QUOTA INFLIGHT REVOKED PAUSED
--   CLOCK: [from,to) is not current on the store's clock, recompute with `now`   GONE: released before it arrived, or its lease ran out
-- fields of the subject: w:<window> "used start end refunds_f credit refunds_c" (rate: "tat 0 end 0 0 0")
--   r:<id> "A|E|X expiry reservedAt (window amount floor change)...", change = what the reservation did to the window's credit
--     reservedAt is the store's clock, or the start of the youngest bucket charged where the clock was set back behind it
--     A in flight | E lease ran out, floor is what is still charged, kept for a late settle | X released before it arrived
--   n reservations in flight | m no r ends earlier | x expiry of the key | o "window limit until ..." overrides
--   rv credentials issued before this are void | v:<sid> session revoked until | pu paused until
-- quota/embedded/machine.go is the same machine in Go: change both.
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local Q, id, cap, nw = KEYS[1], ARGV[1], tonumber(ARGV[4]), tonumber(ARGV[6])
local fmt, max = string.format, math.max
local WINDOW = '^(%d+) (%d+) (%d+) (%d+) (%d+) (%d+)$'

local names = {'rv', 'v:' .. ARGV[3], 'pu', 'n', 'm', 'x', 'o', 'r:' .. id}
for i = 0, nw - 1 do names[9 + i] = 'w:' .. ARGV[7 + i * 8] end
local s = redis.call('HMGET', Q, unpack(names))

-- may this credential still be used at all?
if (s[1] and tonumber(ARGV[2]) < tonumber(s[1])) or (s[2] and tonumber(s[2]) > now) then return fmt('%s REVOKED %.0f 0', id, now) end
if s[3] and tonumber(s[3]) > now then return fmt('%s PAUSED %.0f 0', id, now) end

-- leases that ran out (a gateway died): free the slot, keep the floor of the charge, remember the record for a late settle
local n, m = tonumber(s[4]) or 0, tonumber(s[5]) or 0
if m > 0 and m <= now then -- nothing ends before m, so a full cap alone is no reason to look
  local all, w, dirty, ended = redis.call('HGETALL', Q), {}, {}, {}
  n, m = 0, 0
  for i = 1, #all, 2 do
    local f, v = all[i], all[i+1]
    local kind = string.sub(f, 1, 2)
    if kind == 'w:' then w[string.sub(f, 3)] = v
    elseif kind == 'v:' and tonumber(v) <= now then redis.call('HDEL', Q, f)
    elseif kind == 'r:' then
      local st, e, at, rest = string.match(v, '^(%a) (%d+) ?(%d*) ?(.*)$')
      e = tonumber(e)
      if e <= now and st ~= 'A' then redis.call('HDEL', Q, f)
      else
        if e > now then if st == 'A' then n = n + 1 end
        else e = now + 600000; ended[#ended+1] = {f, at, rest} end
        if m == 0 or e < m then m = e end
      end
    end
  end
  table.sort(ended, function(a, b) return a[1] < b[1] end) -- which of two turns gets the credit must not hang on a hash's order
  for _, r in ipairs(ended) do
    local held = fmt('E %.0f %s', now + 600000, r[2])
    for name, amt, floor, change in string.gmatch(r[3], '(%S+) (%d+) (%d+) (%S+)') do
      local u, b, e, rf, credit, rc = string.match(w[name] or '', WINDOW)
      if u and b ~= '0' and tonumber(b) <= tonumber(r[2]) and floor ~= amt then
        local c = max(0, tonumber(change))
        if tonumber(credit) < c then floor = amt -- somebody rode on this turn: it stays charged
        else
          w[name] = fmt('%.0f %s %s %s %.0f %s', max(0, u - amt + floor), b, e, rf, credit - c, rc)
          dirty[name] = true
          change = '0'
        end
      end
      held = held .. ' ' .. name .. ' ' .. amt .. ' ' .. floor .. ' ' .. change
    end
    redis.call('HSET', Q, r[1], held)
  end
  for name in pairs(dirty) do redis.call('HSET', Q, 'w:' .. name, w[name]) end
  redis.call('HSET', Q, 'n', n, 'm', fmt('%.0f', m))
  s = redis.call('HMGET', Q, unpack(names))
end

local over
if s[7] then -- live overrides; until 0 = for good
  over = {}
  for w, l, till in string.gmatch(s[7], '(%S+) (-?%d+) (%d+)') do
    if till == '0' or tonumber(till) > now then over[w] = tonumber(l) end
  end
end

-- every window is looked at before anything is taken
local denied, expire, rec, at = false, 0, '', now
local before, after, set = '', '', {'n', n + 1}
for i = 0, nw - 1 do
  local a = 7 + i * 8
  local w, kind, limit, amt, floor, from, to, cr = ARGV[a], ARGV[a+1], tonumber(ARGV[a+2]), tonumber(ARGV[a+3]),
    tonumber(ARGV[a+4]), tonumber(ARGV[a+5]), tonumber(ARGV[a+6]), tonumber(ARGV[a+7])
  local u, b, e, rf, credit, rc, change = 0, 0, 0, '0', 0, '0', 0
  if s[9 + i] then
    u, b, e, rf, credit, rc = string.match(s[9 + i], WINDOW)
    u, b, e, credit = tonumber(u), tonumber(b), tonumber(e), tonumber(credit)
  end
  if over and over[w] then limit = over[w] end
  if kind == 'g' then
    local old = max(u, now)
    local tat = old + amt * from
    if limit >= 0 then
      limit = to
      if tat - now > to * from then denied = true end
    end
    before = before .. fmt(' %.0f %.0f %.0f', math.ceil((old - now) / from), limit, max(now, old + (amt - to) * from))
    after = after .. fmt(' %.0f %.0f %.0f', math.ceil((tat - now) / from), limit, max(now, tat + (amt - to) * from))
    e = tat
    set[#set+1] = 'w:' .. w; set[#set+1] = fmt('%.0f 0 %.0f 0 0 0', tat, tat)
  else
    if kind == 'f' then to = (e > now and b or now) + from; from = now end
    if e > now then -- the running bucket keeps the end it was opened with; only an earlier end is adopted
      if from <= now and now < to and to < e then e = to end
    elseif from <= now and now < to then u, b, e, rf, credit, rc = 0, now, to, '0', 0, '0'
    else return fmt('%s CLOCK %.0f 0', id, now) end
    if b > at then at = b end -- the clock was set back: the charge is this bucket's all the same
    before = before .. fmt(' %.0f %.0f %.0f', u, limit, e)
    if cr > 0 then change = max(0, cr - credit) -- a turn fills the credit up to K
    elseif cr < 0 then -- a step costs a credit, or a new unit when the credits are gone
      if credit > 0 then amt = 0; change = -1 else amt = 1; change = -cr - 1 end
    end
    if limit >= 0 and amt > 0 and u + amt > limit then denied = true end
    u = u + amt
    after = after .. fmt(' %.0f %.0f %.0f', u, limit, e)
    set[#set+1] = 'w:' .. w; set[#set+1] = fmt('%.0f %.0f %.0f %s %.0f %s', u, b, e, rf, credit + change, rc)
  end
  if e > expire then expire = e end
  rec = rec .. fmt(' %s %.0f %.0f %.0f', w, amt, math.min(amt, floor), change)
end

-- the same id may come twice (retry after a lost reply): it is charged once, and answered with what is stored
if s[8] then return fmt('%s %s %.0f %.0f', id, string.sub(s[8], 1, 1) == 'A' and 'REPLAY' or 'GONE', now, n) .. before end
if denied then return fmt('%s QUOTA %.0f %.0f', id, now, n) .. before end
if cap > 0 and n >= cap then return fmt('%s INFLIGHT %.0f %.0f', id, now, n) .. before end

local exp = now + ARGV[5]
set[#set+1] = 'r:' .. id; set[#set+1] = fmt('A %.0f %.0f', exp, at) .. rec
if m == 0 or exp < m then set[#set+1] = 'm'; set[#set+1] = fmt('%.0f', exp) end
-- the key dies by itself when the subject stays away; its expiry is touched only when it must grow
if exp > expire then expire = exp end
local grow = (tonumber(s[6]) or 0) < expire + 3600000
if grow then expire = fmt('%.0f', expire + 90000000); set[#set+1] = 'x'; set[#set+1] = expire end
redis.call('HSET', Q, unpack(set)) -- the write that memory limits can refuse comes first: nothing is ever half done
if grow then redis.call('PEXPIREAT', Q, expire) end
return fmt('%s OK %.0f %.0f', id, now, n + 1) .. after
