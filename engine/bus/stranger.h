/* Messages that reached us and that nobody may have sent: counted, and logged every STRANGER_TELL_US at most,
 * with how many came meanwhile. They are not acknowledged, because what they would acknowledge is not ours,
 * nor answered with anything. Any thread. */
#pragma once
#include "engine/base/str.h"

enum { STRANGER_TELL_US = 10000000 }; /* often enough for an alert, and no flood */

enum stranger {
    STRANGER_STREAM,  /* pulled from a stream or consumer that is not ours, into a subscription of ours */
    STRANGER_SUBJECT, /* its subject is not the one that was subscribed to */
    STRANGER_PROOF,   /* it should bear an engine's proof, and bears none or a wrong one (runtime/proof.h) */
    STRANGER_KINDS
};
/* subject: of the message, whatever it is. */
void stranger_refuse(enum stranger kind, struct str subject);
