-- rehash.lua - hands the password of a successful login to `mailboxctl rehash`, if the mailbox's hash is an old one.
-- It is for Dovecot 2.3 and 2.4. passdb-2.3.conf and passdb-2.4.conf load it, and say what for.
--
-- It runs in Dovecot's process `auth` and never waits. The password goes into a datagram, which the kernel takes or
-- refuses at once. If nobody receives it, the hash stays as it is until a later login. Nothing is logged, because a log
-- must not have a password.

-- A missing package lua-socket must not keep anybody from logging in.
local is_there, unix = pcall(require, "socket.unix")
local socket = is_there and type(unix) == "table" and unix.dgram and unix.dgram() or nil
if socket then
  socket:settimeout(0)
end

-- True if the SQL passdb has just verified this password, and says that the hash is an old one. A master user logs in
-- to somebody else's mailbox with a password of their own.
local function is_wanted(request)
  return request.skip_password_check == true and request.passdb.mailboxd_rehash == "yes"
    and (request.master_user == nil or request.master_user == "")
end

-- Dovecot calls this for each login. The answer is always the same and never lets anybody in: "unknown here". The
-- block that loads this file then returns what the SQL passdb has said.
function auth_password_verify(request, password)
  if socket and is_wanted(request) then
    pcall(socket.sendto, socket, request.user .. "\0" .. password, "@REHASH_SOCKET@")
  end
  return dovecot.auth.PASSDB_RESULT_USER_UNKNOWN, ""
end
