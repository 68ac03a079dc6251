# cmake -DIN=file -DOUT=file.h -DNAME=symbol -P embed.cmake: a text file as a C array.
file(READ ${IN} bytes HEX)
string(LENGTH "${bytes}" digits)
math(EXPR size "${digits} / 2")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," list "${bytes}")
file(WRITE ${OUT} "#pragma once\n#include <stddef.h>\nstatic const unsigned char ${NAME}[] = {${list}};\nenum { ${NAME}_size = ${size} };\n")
