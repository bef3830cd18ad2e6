import json
import unittest

from workspace import WorkspaceTest


class Profile(WorkspaceTest):
    def problems(self, result, exit_code=2):
        self.assertEqual(result.code, exit_code, result.err)
        return result.document["problems"]

    def test_a_valid_profile_is_valid(self):
        self.write_profile(self.mailfiles_source())
        result = self.run_ok("profile", "check", "--json")
        self.assertEqual(result.document,
                         {"profile": str(self.profile), "valid": True, "problems": []})
        self.assertIn("valid", self.run_ok("profile", "check").out)

    def test_every_error_is_reported_with_its_pointer_and_a_suggestion(self):
        profile = self.profile_of(self.mailfiles_source("one"), self.mailfiles_source("two"),
                                  self.mailfiles_source("three"))
        profile["sources"][0]["schedle"] = {}
        profile["sources"][2]["provider"] = "mailfile"
        profile["archive"]["storage"]["config"]["rooot"] = "x"
        self.profile.write_text(json.dumps(profile))
        result = self.run_program("profile", "check", "--json")
        problems = self.problems(result)
        self.assertFalse(result.document["valid"])
        by_pointer = {problem["pointer"]: problem for problem in problems}
        near = {"/sources/0/schedle": "schedule", "/sources/2/provider": "mailfiles",
                "/archive/storage/config/rooot": "root"}
        for pointer, word in near.items():
            self.assertIn(pointer, by_pointer)
            problem = by_pointer[pointer]
            self.assertEqual(problem["severity"], "error")
            self.assertIn(word, problem["message"] + problem["suggestion"])
            self.assertIn(pointer, result.err)

    def test_two_sources_of_one_id_are_an_error(self):
        self.write_profile(self.mailfiles_source("local"), self.mailfiles_source("local"))
        [problem] = self.problems(self.run_program("profile", "check", "--json"))
        self.assertEqual(problem["pointer"], "/sources/1/id")
        self.assertIn("local", problem["message"])

    def test_a_wrong_profile_starts_nothing(self):
        self.profile.write_text('{"version": 1, "archive": {}, "sources": []}')
        result = self.run_program("sync", "--json")
        self.assert_error(result, 2, "invalid_config", "nothing was started")
        self.assertTrue(result.document["error"]["problems"])
        self.assertFalse((self.folder / "archive").exists())
        self.assertFalse((self.folder / "catalog").exists())

    def test_a_profile_that_is_no_json_is_reported_with_its_place(self):
        self.profile.write_text('{"version": 1,\n "archive": }')
        problems = self.problems(self.run_program("profile", "check", "--json"))
        self.assertIn("line 2", problems[0]["message"])

    def test_a_profile_that_is_missing_is_reported(self):
        result = self.run_program("sync", "--json")
        self.assertEqual(result.code, 2)
        self.assertIn(str(self.profile), result.err)

    def test_the_schema_has_the_configurations_of_the_plugins_in_it(self):
        self.write_profile()
        schema = self.run_ok("profile", "schema").document
        self.assertEqual(schema["type"], "object")
        text = json.dumps(schema)
        self.assertIn('"paths"', text)
        self.assertIn('"root"', text)


if __name__ == "__main__":
    unittest.main()
