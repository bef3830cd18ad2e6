# For plugins in this repository and, installed with the SDK, for those outside.
#
# openarchiver_add_plugin(NAME SOURCES file... [LIBRARIES target...])
# A plugin library NAME.so. It exports its stamp and its factory (OPENARCHIVER_PLUGIN), nothing else;
# `cmake --install` puts it where a program of the same prefix finds it. NAME_objects is what it is made of:
# tests of its inside link that.
set(OPENARCHIVER_PLUGIN_VERSION_SCRIPT ${CMAKE_CURRENT_LIST_DIR}/plugin.map)

function(openarchiver_add_plugin name)
    cmake_parse_arguments(PARSE_ARGV 1 PLUGIN "" "" "SOURCES;LIBRARIES")
    if(PLUGIN_UNPARSED_ARGUMENTS OR NOT PLUGIN_SOURCES)
        message(FATAL_ERROR "openarchiver_add_plugin(NAME SOURCES file... [LIBRARIES target...])")
    endif()
    add_library(${name}_objects OBJECT ${PLUGIN_SOURCES})
    target_link_libraries(${name}_objects
        PUBLIC openarchiver::sdk ${PLUGIN_LIBRARIES}
        PRIVATE $<TARGET_NAME_IF_EXISTS:openarchiver_options>)
    set_target_properties(${name}_objects PROPERTIES
        POSITION_INDEPENDENT_CODE ON
        CXX_EXTENSIONS OFF
        CXX_VISIBILITY_PRESET hidden
        VISIBILITY_INLINES_HIDDEN ON)
    add_library(${name} MODULE)
    target_link_libraries(${name} PRIVATE ${name}_objects)
    target_link_options(${name} PRIVATE
        -Wl,--no-undefined -Wl,--version-script=${OPENARCHIVER_PLUGIN_VERSION_SCRIPT})
    set_target_properties(${name} PROPERTIES
        PREFIX ""
        LINKER_LANGUAGE CXX
        LINK_DEPENDS ${OPENARCHIVER_PLUGIN_VERSION_SCRIPT})
    if(OPENARCHIVER_PLUGIN_OUTPUT_DIRECTORY)
        set_target_properties(${name} PROPERTIES
            LIBRARY_OUTPUT_DIRECTORY ${OPENARCHIVER_PLUGIN_OUTPUT_DIRECTORY})
    endif()
    install(TARGETS ${name} LIBRARY DESTINATION lib/openarchiver/plugins)
endfunction()

# openarchiver_verify_plugin(NAME [CONFIG file] [FIXTURE command])
# A test "NAME keeps the contract": `openarchiver plugin verify` on the built plugin.
function(openarchiver_verify_plugin name)
    cmake_parse_arguments(PARSE_ARGV 1 VERIFY "" "CONFIG;FIXTURE" "")
    set(options)
    if(VERIFY_CONFIG)
        list(APPEND options --config ${VERIFY_CONFIG})
    endif()
    if(VERIFY_FIXTURE)
        list(APPEND options --fixture ${VERIFY_FIXTURE})
    endif()
    add_test(NAME "${name} keeps the contract"
        COMMAND openarchiver::program plugin verify $<TARGET_FILE:${name}> ${options}
        WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
endfunction()
