static const char *const query = "SELECT id FROM saga";
static const char *const change = "update saga set status = 1";
static const char *const english = "select a name, then update the file";
static const char *const more = "insert into saga values (1)";
