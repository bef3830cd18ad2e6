import unittest

from workspace import WorkspaceTest


class Plugin(WorkspaceTest):
    def test_the_list_shows_what_is_loaded(self):
        self.write_profile()
        document = self.run_ok("plugin", "list", "--json").document
        by_id = {plugin["id"]: plugin for plugin in document["plugins"]}
        self.assertEqual(by_id["mailfiles"]["kind"], "provider")
        self.assertEqual(by_id["filesystem"]["kind"], "storage backend")
        self.assertEqual(by_id["troubled"]["title"], "Troubled service")
        for plugin in document["plugins"]:
            self.assertRegex(plugin["sha256"], r"^[0-9a-f]{64}$")
            self.assertTrue(plugin["file"].startswith("/"))
            self.assertTrue(plugin["version"] and plugin["sdk_version"] and plugin["compiler"])
        self.assertTrue(document["searched"])
        text = self.run_ok("plugin", "list").out
        self.assertIn("mailfiles", text)

    def test_the_list_needs_no_profile(self):
        result = self.run_program("plugin", "list", "--json", with_profile=False)
        self.assertEqual(result.code, 0, result.err)
        self.assertIn("mailfiles", [plugin["id"] for plugin in result.document["plugins"]])

    def test_a_refused_library_is_listed_with_the_reason(self):
        folder = self.folder / "plugins"
        folder.mkdir()
        (folder / "broken.so").write_text("this is no library")
        result = self.run_program("plugin", "list", "--json",
                                  environment={"OPENARCHIVER_PLUGIN_PATH": str(folder)},
                                  with_profile=False)
        self.assertEqual(result.code, 0, result.err)
        refused = result.document["refused"]
        self.assertEqual(refused[0]["code"], "not_a_library")
        self.assertIn("broken.so", refused[0]["reason"])


if __name__ == "__main__":
    unittest.main()
