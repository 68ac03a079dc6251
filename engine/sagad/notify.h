/* Tells systemd (Type=notify) how the service stands: the datagram protocol of sd_notify(3), without the
 * library. Does nothing when NOTIFY_SOCKET is not set. */
#pragma once

/* "READY=1", "STOPPING=1", "RELOADING=1", "STATUS=…", lines separated by newlines. */
void notify_send(const char *state);
