# Writes embedded_page.c: the files of src/admin/page as bytes, behind the declaration of
# src/admin/page.h.
set(arrays "")
set(members "")
foreach(part html style=css script=js)
  string(REGEX REPLACE "=.*" "" name ${part})
  string(REGEX REPLACE ".*=" "" suffix ${part})
  file(READ ${DIR}/status.${suffix} hex HEX)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
  string(APPEND arrays "static const unsigned char ${name}[] = {${bytes}0};\n")
  string(APPEND members "    .${name} = {(const char *)${name}, sizeof(${name}) - 1},\n")
endforeach()
file(WRITE ${OUTPUT}
     "#include \"admin/page.h\"\n\n${arrays}\nconst struct page_files page_files = {\n${members}};\n")
