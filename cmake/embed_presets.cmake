# Writes embedded_presets.c: every config/providers/NAME.ini as bytes, sorted by name, behind the
# declarations of src/config/presets.h.
file(GLOB files ${DIR}/*.ini)
list(SORT files)
set(arrays "")
set(rows "")
foreach(file ${files})
  get_filename_component(name ${file} NAME_WE)
  string(MAKE_C_IDENTIFIER ${name} id)
  file(READ ${file} hex HEX)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
  string(APPEND arrays "static const char ${id}[] = {${bytes}0};\n")
  string(APPEND rows "    {\"${name}\", ${id}, sizeof(${id}) - 1},\n")
endforeach()
file(WRITE ${OUTPUT}
     "#include \"config/presets.h\"\n\n${arrays}\nconst struct embedded_preset embedded_presets[] = {\n${rows}    {0, 0, 0},\n};\n")
