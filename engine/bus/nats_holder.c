/* Which stream acknowledges what is sent to a subject: asked of the server once. Called through bus.c
 * (bus_holder). Never makes or changes a stream. */
#include "engine/bus/nats_parts.h"

#include <stdio.h>

static void set_wait(jsOptions *options)
{
    jsOptions_Init(options);
    options->Wait = NATS_API_WAIT_MS;
}

/* A stream with no_ack takes a copy and says nothing: requests may be kept so. */
static natsStatus acknowledges(jsCtx *js, const char *name, bool *does)
{
    jsOptions options;
    jsStreamInfo *info = NULL;
    set_wait(&options);
    natsStatus status = js_GetStreamInfo(&info, js, name, &options, NULL);
    *does = status == NATS_OK && !info->Config->NoAck;
    jsStreamInfo_Destroy(info);
    return status == NATS_NOT_FOUND ? NATS_OK : status; /* gone since */
}

static natsStatus find(jsCtx *js, const char *subject, char stream[BUS_STREAM_BYTES])
{
    jsOptions options;
    jsStreamNamesList *names = NULL;
    set_wait(&options);
    options.Stream.Info.SubjectsFilter = subject;
    natsStatus status = js_StreamNames(&names, js, &options, NULL);
    for (int i = 0; status == NATS_OK && i < names->Count && stream[0] == '\0'; i++) {
        bool does = false;
        status = acknowledges(js, names->List[i], &does);
        if (does)
            snprintf(stream, BUS_STREAM_BYTES, "%s", names->List[i]);
    }
    jsStreamNamesList_Destroy(names);
    return status == NATS_NOT_FOUND ? NATS_OK : status;
}

enum err nats_holder(struct bus *base, struct str subject, char stream[BUS_STREAM_BYTES],
                     struct err_note *note)
{
    struct nats_bus *bus = (struct nats_bus *)base;
    char text[BUS_SUBJECT_BYTES + 1];
    snprintf(text, sizeof text, "%.*s", STR_ARG(subject));
    stream[0] = '\0';
    jsCtx *js = nats_control_hold(bus, note);
    if (js == NULL)
        return ERR_UNAVAILABLE;
    natsStatus status = find(js, text, stream);
    nats_control_release(bus);
    if (status == NATS_OK)
        return ERR_OK;
    return err_note(note, status == NATS_TIMEOUT ? ERR_TIMEOUT : ERR_UNAVAILABLE,
                    "cannot ask which streams hold %s: %s", text, natsStatus_GetText(status));
}
