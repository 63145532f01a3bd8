-- One request on the record of one key. The server carries it out as one step.
--
-- KEYS[1] is the record, a hash: tenure (its format), term, and while somebody holds the lease holder, incarnation,
-- meta, ttl and until (both in microseconds, until on the clock of this server); manager and call name the Acquire
-- that was granted last. It has no expiry, so that no policy of eviction takes it for something that may go.
--
-- The answer is a status, then holder, incarnation, meta, term and the remaining microseconds as they are now.
local record = KEYS[1]
local op, channel, key, name, incarnation, meta, term, ttl, manager, call = unpack(ARGV)
local most = 9007199254740991 -- numbers are doubles, exact up to here; reached by microseconds in the year 2255

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

local function text(n) return string.format('%.0f', n) end

-- count reads a number that this script has written; false: it has not.
local function count(s)
	if not s then return 0 end
	local n = #s <= 16 and string.find(s, '^%d+$') and tonumber(s)
	return n and n <= most and n
end

local f = redis.call('HMGET', record, 'tenure', 'holder', 'incarnation', 'meta', 'term', 'ttl', 'until', 'manager', 'call')
local format = f[1]
local holder, holds, published = f[2] or '', f[3] or '', f[4] or ''
local last, length, ends, calls = count(f[5]), count(f[6]), count(f[7]), count(f[9])
if not format and redis.call('EXISTS', record) == 1 or format and format ~= '1' then
	return {'foreign', format or ''}
end
if not last or not length or not ends or not calls or format and last == 0 then
	return {'damaged'}
end

-- More left than the whole length: the clock has been set back. It counts from now, then.
local stepped = ends - now > length
local left = stepped and length or math.max(ends - now, 0)
local mine = holder ~= '' and holder == name and holds == incarnation

local function answer(status) return {status, holder, holds, published, text(last), text(left)} end

if op == 'read' then return answer('done') end

if op == 'renew' then
	if not mine or text(last) ~= term then return answer('lost') end
	redis.call('HSET', record, 'meta', meta, 'ttl', ttl, 'until', text(now + ttl))
	return answer('done')
end

if op == 'release' then
	if holder == '' and last > 0 and text(last) == term then return answer('done') end -- released before
	if not mine or text(last) ~= term then return answer('lost') end
	redis.call('PUBLISH', channel, key)
	redis.call('HDEL', record, 'holder', 'incarnation', 'meta', 'ttl', 'until') -- works in a full memory, too
	holder, holds, published, left = '', '', '', 0
	return answer('done')
end

-- acquire. The client may repeat a request by itself, and the network may deliver one late.
if f[8] == manager and calls >= tonumber(call) then
	return answer(calls == tonumber(call) and mine and 'done' or 'late')
end
if holder ~= '' and not mine and left > 0 then
	if stepped then redis.call('HSET', record, 'until', text(now + length)) end
	return answer('held')
end
local next = math.max(last + 1, now)
if next > most then return answer('spent') end
redis.call('PUBLISH', channel, key) -- first, because it may not be allowed, and what is written stays written
redis.call('HSET', record, 'tenure', '1', 'holder', name, 'incarnation', incarnation, 'meta', meta, 'term', text(next),
	'ttl', ttl, 'until', text(now + ttl), 'manager', manager, 'call', call)
last = next
return answer('done')
