import subprocess
import unittest

from workspace import WorkspaceTest


class Usage(WorkspaceTest):
    def test_describes_itself_to_shells_and_man(self):
        """Completions and manual page follow the command line as it is."""
        script = self.folder / "completion"
        script.write_text(self.run_program("completion", "bash", with_profile=False).out)

        def completed(*words):
            command = f'source {script}; COMP_WORDS=({" ".join(words)}); COMP_CWORD={len(words) - 1}; _openarchiver; echo "${{COMPREPLY[@]}}"'
            return subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True).stdout.split()

        self.assertEqual(completed("openarchiver", "source", "ch"), ["check"])
        self.assertEqual(completed("openarchiver", "--json", "hold", "place", "--q"), ["--query"])
        self.assertIn("--profile", completed("openarchiver", "verify", "--"))
        self.assertNotIn("--query", completed("openarchiver", "verify", "--"))
        for shell in ("zsh", "fish"):
            self.assertIn("reconcile", self.run_program("completion", shell, with_profile=False).out)
        page = self.run_program("manual", with_profile=False).out
        self.assertIn(".SS openarchiver source check", page)
        self.assertIn("\\fB\\-\\-reconcile\\fR", page)

    def test_help_and_version_need_no_profile(self):
        result = self.run_program("--help", with_profile=False)
        self.assertEqual(result.code, 0)
        for verb in ("serve", "sync", "source", "accounts", "folders", "status", "failures", "key",
                     "plugin", "profile"):
            self.assertIn(f"  {verb} ", result.out)
        result = self.run_program("--version", with_profile=False)
        self.assertEqual(result.code, 0)
        self.assertRegex(result.out, r"^openarchiver \d+\.\d+\.\d+\n$")

    def test_every_verb_has_help(self):
        for verb in ("serve", "sync", "source list", "source check", "accounts", "folders",
                     "status", "failures", "key new", "key check", "plugin list", "profile check",
                     "profile schema"):
            result = self.run_program(*verb.split(), "--help", with_profile=False)
            self.assertEqual(result.code, 0, verb)
            self.assertIn(f"openarchiver {verb}", result.out)

    def test_an_unknown_verb_is_a_usage_error_that_names_the_nearest_one(self):
        result = self.run_program("synch")
        self.assertEqual(result.code, 2)
        self.assertIn('did you mean "sync"?', result.err)
        self.assertEqual(result.out, "")
        self.assert_error(self.run_program("--json", "synch"), 2, "invalid_argument",
                          'did you mean "sync"?', "openarchiver --help")
        self.assert_error(self.run_program("--json", "frobnicate"), 2, "invalid_argument",
                          "there are serve, sync, source,")

    def test_a_missing_verb_is_a_usage_error(self):
        self.assert_error(self.run_program("--json"), 2, "invalid_argument", "a verb is missing",
                          "sync")
        self.assert_error(self.run_program("--json", "source"), 2, "invalid_argument",
                          "list, check")

    def test_an_unknown_option_is_a_usage_error_that_names_the_nearest_one(self):
        self.assert_error(self.run_program("sync", "--json", "--reconcil"), 2, "invalid_argument",
                          "--reconcil", "did you mean --reconcile?", "openarchiver sync --help")

    def test_one_argument_too_many_is_a_usage_error(self):
        self.assert_error(self.run_program("status", "--json", "now"), 2, "invalid_argument",
                          '"now" is one argument too many')

    def test_a_missing_argument_is_a_usage_error(self):
        self.assert_error(self.run_program("source", "check", "--json"), 2, "invalid_argument",
                          "ID", "openarchiver source check --help")

    def test_a_log_level_that_does_not_exist_is_a_usage_error(self):
        result = self.run_program("--log-level", "loud", "status")
        self.assertEqual(result.code, 2)
        self.assertIn("loud", result.err)

    def test_an_option_without_its_value_is_a_usage_error(self):
        result = self.run_program("--profile", with_profile=False)
        self.assertEqual(result.code, 2)
        self.assertIn("--profile", result.err)

    def test_without_any_profile_the_error_says_where_one_can_come_from(self):
        result = self.run_program("status", "--json", with_profile=False)
        self.assert_error(result, 2, "invalid_argument", "openarchiver.json", "--profile",
                          "OPENARCHIVER_PROFILE")

    def test_the_profile_comes_from_the_option_the_environment_or_the_folder(self):
        self.write_profile(self.mailfiles_source("in-folder"))
        result = self.run_program("source", "list", "--json", with_profile=False)
        self.assertEqual(result.document["sources"][0]["id"], "in-folder")
        other = self.folder / "other.json"
        self.profile.rename(other)
        self.write_profile(self.mailfiles_source("by-default"))
        result = self.run_program("source", "list", "--json", with_profile=False,
                                  environment={"OPENARCHIVER_PROFILE": str(other)})
        self.assertEqual(result.document["sources"][0]["id"], "in-folder")
        result = self.run_program("source", "list", "--json",
                                  environment={"OPENARCHIVER_PROFILE": str(other)})
        self.assertEqual(result.document["sources"][0]["id"], "by-default")

    def test_global_options_may_stand_behind_the_verb(self):
        self.write_profile(self.mailfiles_source())
        result = self.run_program("source", "list", "--json", "--profile", str(self.profile),
                                  with_profile=False, cwd="/")
        self.assertEqual(result.code, 0, result.err)
        self.assertEqual(result.document["sources"][0]["id"], "local")

    def test_output_that_nobody_takes_is_not_a_success(self):
        self.write_profile(self.mailfiles_source())
        with open("/dev/full", "w") as full:
            result = subprocess.run(self.command("source", "list"), stdout=full,
                                    stderr=subprocess.PIPE, text=True, timeout=60, check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn("standard output", result.stderr)


if __name__ == "__main__":
    unittest.main()
