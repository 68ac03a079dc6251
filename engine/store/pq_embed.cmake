# cmake -DOUTPUT=x.c "-DQUERIES=a.sql|b.sql" "-DMIGRATIONS=…|…" -P pq_embed.cmake
# Writes the files as C arrays of bytes: string literals of this length are beyond what C promises.
function(emit_files list table out)
  set(arrays "")
  set(rows "")
  set(count 0)
  string(REPLACE "|" ";" files "${list}")
  foreach(path ${files})
    get_filename_component(name ${path} NAME_WE)
    file(READ ${path} hex HEX)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
    string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)" "\\1\n    " bytes "${bytes}")
    string(APPEND arrays "static const unsigned char ${table}_${count}[] = {\n    ${bytes}0x00};\n")
    string(APPEND rows "    {\"${name}\", (const char *)${table}_${count}},\n")
    math(EXPR count "${count} + 1")
  endforeach()
  set(${out} "${arrays}const struct pq_embed_file ${table}[] = {\n${rows}};\n" PARENT_SCOPE)
  set(${out}_count ${count} PARENT_SCOPE)
endfunction()

emit_files("${QUERIES}" pq_embed_queries queries)
emit_files("${MIGRATIONS}" pq_embed_migrations migrations)
file(WRITE ${OUTPUT} "#include \"engine/store/pq_embed.h\"\n
${queries}const uint32_t pq_embed_query_count = ${queries_count};\n
${migrations}const uint32_t pq_embed_migration_count = ${migrations_count};\n")
