import json
import pathlib
import shutil
import unittest

from workspace import PLUGINS, PROGRAM, WorkspaceTest


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

    def built(self, name):
        return pathlib.Path(PROGRAM).parents[1] / "lib/openarchiver/plugins" / f"{name}.so"

    def verify(self, *arguments):
        return self.run_program("plugin", "verify", "--json", *map(str, arguments),
                                with_profile=False)

    def configured(self, config):
        file = self.folder / "config.json"
        file.write_text(json.dumps(config))
        return ("--config", file)

    def test_verify_checks_a_plugin_with_a_configuration(self):
        self.add_mail("one")
        result = self.verify(self.built("mailfiles"), *self.configured({"paths": [str(self.mail)]}))
        self.assertEqual(result.code, 0, result.out + result.err)
        document = result.document
        self.assertEqual(document["plugin"]["id"], "mailfiles")
        self.assertEqual((document["failed"], document["configured"]), (0, True))
        self.assertEqual(document["passed"], len(document["checks"]))
        for check in document["checks"]:
            self.assertEqual(check["outcome"], "passed")
            self.assertTrue(check["contract"] and check["remedy"] and check["seconds"])

    def test_verify_without_a_configuration_checks_the_schema(self):
        document = self.verify(self.built("mailfiles")).document
        self.assertFalse(document["configured"])
        self.assertEqual([check["name"].split("'s ")[1].split()[0] for check in document["checks"]],
                         ["schema", "schema"])

    def test_verify_refuses_a_store_that_is_not_empty(self):
        store = self.folder / "store"
        store.mkdir()
        options = self.configured({"root": "store"})
        self.assertEqual(self.verify(self.built("filesystem"), *options).code, 0)
        result = self.verify(self.built("filesystem"), *options)  # the first left objects behind
        self.assertEqual(result.code, 2)
        self.assertIn("empty", result.document["error"]["message"])

    def test_verify_says_what_is_wrong_with_the_configuration(self):
        result = self.verify(self.built("mailfiles"), *self.configured({"pathes": ["x"]}))
        self.assertEqual(result.code, 2)
        self.assertIn("pathes", result.document["error"]["message"])

    def test_verify_says_why_a_library_is_refused(self):
        file = self.folder / "broken.so"
        file.write_text("this is no library")
        result = self.verify(file)
        self.assertEqual(result.code, 2)
        self.assertIn("broken.so", result.document["error"]["message"])

    def test_verify_says_that_a_fixture_does_not_answer(self):
        result = self.verify(self.built("mailfiles"), "--fixture", "exit 3")
        self.assertEqual(result.code, 2)
        self.assertIn("fixture", result.document["error"]["message"])

    def test_a_plugin_that_crashes_fails_the_checks_that_call_it(self):
        self.behave("items 3", "crash")
        troubled = pathlib.Path(PLUGINS) / "troubled.so"
        result = self.verify(troubled, *self.configured({"script": str(self.script)}))
        self.assertEqual(result.code, 1, result.err)
        checks = {check["name"]: check for check in result.document["checks"]}
        self.assertEqual(checks["the preflight passes on a source that works"]["outcome"], "passed")
        crashed = checks["a sync resumes from every checkpoint"]
        self.assertEqual(crashed["outcome"], "failed")
        # ThreadSanitizer makes an exit code of it.
        self.assertRegex(crashed["findings"][0]["seen"], "signal|exit code 66")
        self.assertIn("--check", crashed["remedy"])

    def hash_of(self, name):
        plugins = self.run_program("plugin", "list", "--json", with_profile=False).document
        return {one["id"]: one["sha256"] for one in plugins["plugins"]}[name]

    def test_only_pinned_libraries_are_loaded(self):
        self.add_mail("one")
        profile = self.profile_of(self.mailfiles_source())
        profile["plugins"]["sha256"] = [self.hash_of("filesystem"), self.hash_of("mailfiles")]
        self.profile.write_text(json.dumps(profile))
        document = self.run_ok("plugin", "list", "--json").document
        self.assertEqual({one["id"] for one in document["plugins"]}, {"filesystem", "mailfiles"})
        self.assertEqual({one["code"] for one in document["refused"]}, {"not_pinned"})
        self.assertIn("plugins.sha256", document["refused"][0]["reason"])
        self.sync()

        profile["plugins"]["sha256"][1] = "0" * 64
        self.profile.write_text(json.dumps(profile))
        result = self.run_program("sync", "--json")
        self.assertEqual(result.code, 2)
        self.assertIn("plugins.sha256", result.out + result.err)

    def test_a_library_below_a_folder_that_others_may_write_is_refused(self):
        folder = self.folder / "shared" / "plugins"
        folder.mkdir(parents=True)
        shutil.copy(pathlib.Path(PLUGINS) / "troubled.so", folder)
        def refused():
            document = self.run_program("plugin", "list", "--json", with_profile=False,
                                        environment={"OPENARCHIVER_PLUGIN_PATH": str(folder)}).document
            return [one["code"] for one in document["refused"]]
        self.assertEqual(refused(), [])
        (self.folder / "shared").chmod(0o777)
        self.assertEqual(refused(), ["unsafe_permissions"])

    def test_new_writes_into_a_new_folder_only(self):
        def new(*arguments):
            return self.run_program("plugin", "new", "--json", *arguments, with_profile=False)
        output = self.folder / "mine"
        result = new("mine", "--kind", "storage", "--output", str(output))
        self.assertEqual(result.code, 0, result.err)
        self.assertEqual(result.document["kind"], "storage")
        for file in result.document["files"]:
            self.assertNotIn("@", (output / file).read_text())
        again = new("mine", "--kind", "storage", "--output", str(output))
        self.assertEqual(again.code, 2)
        self.assertEqual(new("Mine", "--kind", "storage", "--output", "x").code, 2)


if __name__ == "__main__":
    unittest.main()
