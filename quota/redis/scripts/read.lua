-- read: all that is known of one subject, at one moment. Changes nothing. KEYS[1] the subject   KEYS[2] its ledger (list) | ARGV ledger lines
-- reply: now (ms), the fields and values of the subject, the newest lines of its ledger
-- The time is asked here and not beside: a command without a key goes to any node of a cluster, and each has a clock of its own.
local t = redis.call('TIME')
return {t[1] * 1000 + math.floor(t[2] / 1000), redis.call('HGETALL', KEYS[1]), redis.call('LRANGE', KEYS[2], 0, ARGV[1] - 1)}
