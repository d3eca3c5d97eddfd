"""Mixtures for tables: `witan fit` and `witan predict`, from the reference's numbers to tables that say nothing.

Usage: mixtures_test.py WITAN_BINARY [unittest arguments]
"""

import csv
import json
import math
import random
import re

from command_line import GOLDENS, Case, main


class Mixtures(Case):
    NPREG = GOLDENS / "mixtures" / "npreg.csv"

    def test_fit_and_predict(self):
        model, numbers = self.folder / "model.json", self.folder / "fit.json"
        result = self.witan("fit", self.NPREG, "--formula", "yn ~ x + x^2 | gate ~ x", "--output", model, "--json", numbers)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("log-likelihood -642.06387", result.stdout)
        self.assertIn("certificate: a maximum", result.stdout)
        fit = json.loads(numbers.read_text())
        self.assertAlmostEqual(fit["log_likelihood"], -642.06387962, delta=6e-4)
        self.assertAlmostEqual(fit["bic"], 1337.11093, delta=1.3e-3)
        self.assertEqual(fit["df"], 10)
        self.assertTrue(fit["certificate"]["maximum"])
        self.assertTrue(all(one["standard_error"] > 0 for one in fit["parameters"]))

        result = self.witan("predict", model, self.NPREG, "--interval", "0.9", "--json", self.folder / "p.json",
                            "--output", self.folder / "p.csv")
        self.assertEqual(result.returncode, 0, result.stderr)
        lines = (self.folder / "p.csv").read_text().splitlines()
        self.assertEqual(lines[0], "mean,sd,q0.05,q0.5,q0.95,gate_1,gate_2,responsibility_1,responsibility_2,log_density,pit")
        rows = [dict(zip(lines[0].split(","), map(float, line.split(",")))) for line in lines[1:]]
        self.assertEqual(len(rows), 200)
        self.assertAlmostEqual(sum(row["log_density"] for row in rows), fit["log_likelihood"], places=6)
        inside = sum(0.05 <= row["pit"] <= 0.95 for row in rows)
        self.assertGreater(inside, 160)
        self.assertEqual(len(json.loads((self.folder / "p.json").read_text())["rows"]), 200)

    def test_page_with_the_numbers_of_the_json(self):
        page, numbers = self.folder / "fit.html", self.folder / "fit.json"
        result = self.witan("fit", self.NPREG, "--formula", "yn ~ x + x^2 | gate ~ x", "--experts", "1..2", "--restarts", "6",
                            "--report", page, "--json", numbers)
        self.assertEqual(result.returncode, 0, result.stderr)
        text = page.read_text()
        data = json.loads(re.search(r'<script id="data" type="application/json">(.*?)</script>', text, re.S).group(1))
        self.assertEqual(data.pop("name"), "npreg.csv")
        fit = json.loads(numbers.read_text())
        self.assertEqual(data, fit)
        self.assertEqual(fit["calibration"]["rows"], 200)
        self.assertAlmostEqual(fit["calibration"]["nll"], -fit["log_likelihood"] / 200, places=9)
        self.assertAlmostEqual(sum(bin["share"] for bin in fit["calibration"]["pit"]), 1.0, places=9)
        self.assertEqual([one["name"] for one in fit["figures"]["inputs"]], ["x"])
        self.assertEqual(len(fit["figures"]["rows"]), 200)

    def test_densities_modes_and_draws(self):
        model, out = self.folder / "model.json", self.folder / "p.csv"
        self.assertEqual(self.witan("fit", self.NPREG, "--formula", "yn ~ x + x^2", "--restarts", "6", "--output", model).returncode, 0)
        options = ("--quantiles", "0.5,0.99", "--at", "10,30", "--modes", "--samples", "3", "--seed", "4", "--output", out)
        texts = []
        for threads in ("1", "2"):
            result = self.witan("predict", model, self.NPREG, *options, "--threads", threads)
            self.assertEqual(result.returncode, 0, result.stderr)
            texts.append(out.read_text())
        self.assertEqual(texts[0], texts[1])
        lines = texts[0].splitlines()
        self.assertTrue(lines[0].startswith("mean,sd,q0.05,q0.5,q0.95,q0.99,density(10),cdf(10),density(30),cdf(30),mode_1,mode_2,"
                                            "sample_1,sample_2,sample_3,gate_1"), lines[0])
        rows = list(csv.DictReader(lines))
        self.assertTrue(all(0.0 <= float(row["cdf(10)"]) <= float(row["cdf(30)"]) <= 1.0 for row in rows))
        self.assertTrue(any(row["mode_2"] == "" for row in rows) and any(row["mode_2"] != "" for row in rows))
        below = sum(float(row["sample_1"]) <= float(row["q0.5"]) for row in rows)
        self.assertTrue(70 < below < 130, below)
        self.refused("predict", model, self.NPREG, "--quantiles", "1.5", says=["quantiles", "1.5"])

    def test_streams_reach_the_same_maximum_in_memory_that_does_not_grow(self):
        def table(rows):
            generator = random.Random(3)
            lines = ["y,x,z"]
            for _ in range(rows):
                x, z = generator.gauss(0, 1), generator.gauss(0, 1)
                mean = 1 + x if generator.random() < 1 / (1 + math.exp(-2 * z)) else -1 - x
                lines.append(f"{mean + 0.5 * generator.gauss(0, 1):.6f},{x:.6f},{z:.6f}")
            return self.write(f"t{rows}.csv", "\n".join(lines) + "\n")

        def fit(path, *options):
            numbers = self.folder / "fit.json"
            code, errors, memory = self.measured("fit", path, "--formula=y ~ x | gate ~ z", "--restarts=3",
                                                 f"--json={numbers}", *options)
            self.assertEqual(code, 0, errors)
            return json.loads(numbers.read_text()), memory

        stream = ("--stream", "--stream-start-rows=2000")
        small, large = table(50_000), table(400_000)
        _, little = fit(small, *stream)
        streamed, much = fit(large, *stream)
        whole, _ = fit(large)
        self.assertTrue(streamed["certificate"]["maximum"], streamed["certificate"])
        self.assertAlmostEqual(streamed["log_likelihood"], whole["log_likelihood"], delta=1e-6 * abs(whole["log_likelihood"]))
        # Eight times the rows, ten megabytes of table more: buffers of a piece, and no row.
        self.assertLess(much, little + (25 << 20), (little, much))

    def test_selection_over_numbers_and_families(self):
        numbers = self.folder / "fit.json"
        result = self.witan("fit", self.NPREG, "--formula", "yn ~ x + x^2", "--experts", "1..3", "--family", "gaussian,laplace",
                            "--restarts", "10", "--json", numbers)
        self.assertEqual(result.returncode, 0, result.stderr)
        fit = json.loads(numbers.read_text())
        self.assertEqual(len(fit["selection"]), 6)
        sound = [one for one in fit["selection"] if not one["degenerate"]]
        self.assertEqual(fit["bic"], min(one["bic"] for one in sound))
        self.assertEqual((fit["experts"], fit["family"]), (2, "gaussian"))

    def test_gamma_experts(self):
        generator = random.Random(8)
        lines = ["y,x"]
        for _ in range(300):
            x = generator.uniform(-2, 2)
            mean, shape = (math.exp(1 + x), 9) if generator.random() < 1 / (1 + math.exp(-2 * x)) else (math.exp(2 - x), 3)
            lines.append(f"{generator.gammavariate(shape, mean / shape)!r},{x!r}")
        table = self.write("g.csv", "\n".join(lines) + "\n")
        model, numbers, out = self.folder / "model.json", self.folder / "fit.json", self.folder / "p.csv"
        result = self.witan("fit", table, "--target", "y", "--family", "gamma,gaussian", "--restarts", "10", "--output", model,
                            "--json", numbers)
        self.assertEqual(result.returncode, 0, result.stderr)
        fit = json.loads(numbers.read_text())
        self.assertEqual(fit["family"], "gamma")
        self.assertEqual([one["family"] for one in fit["selection"]], ["gamma", "gaussian"])
        self.assertTrue(fit["certificate"]["maximum"], fit["certificate"])
        self.assertEqual(sum(one["term"] == "shape" for one in fit["parameters"]), 2)
        self.assertGreater(fit["calibration"]["crps"], 0)
        self.assertEqual(self.witan("predict", model, table, "--output", out).returncode, 0)
        rows = list(csv.DictReader(out.read_text().splitlines()))
        self.assertAlmostEqual(sum(float(row["log_density"]) for row in rows), fit["log_likelihood"], places=6)
        self.assertTrue(all(0 < float(row["q0.05"]) < float(row["q0.95"]) for row in rows))
        lines[3] = "-1,0.5"
        self.refused("fit", self.write("n.csv", "\n".join(lines)), "--target", "y", "--family", "gamma",
                     says=["line 4, column 'y': -1", "above 0"])

    def test_tables_written_elsewhere(self):
        generator = random.Random(2)
        rows = [(3 * x + generator.gauss(0, 1), x) for x in (generator.gauss(0, 1) for _ in range(80))]
        plain = self.write("p.csv", "y,x\n" + "".join(f"{y!r},{x!r}\n" for y, x in rows))
        commas = "y;x\n" + "".join(f"{y!r};{x!r}\n" for y, x in rows).replace(".", ",")
        foreign = self.write("f.csv", commas)
        numbers, model, out = self.folder / "fit.json", self.folder / "m.json", self.folder / "o.csv"
        likelihoods = []
        for table, options in ((plain, ()), (foreign, ("--separator", ";", "--decimal", ",")), (foreign, ("--decimal", ",")),
                               (foreign, ("--decimal", ",", "--stream"))):
            result = self.witan("fit", table, "--target", "y", "--experts", "1", "--json", numbers, "--output", model, *options)
            self.assertEqual(result.returncode, 0, result.stderr)
            likelihoods.append(json.loads(numbers.read_text())["log_likelihood"])
        for value in likelihoods:
            self.assertAlmostEqual(value, likelihoods[0], places=9)
        self.assertEqual(self.witan("predict", model, foreign, "--decimal", ",", "--output", out).returncode, 0)
        self.assertEqual(len(out.read_text().splitlines()), 81)
        self.refused("fit", foreign, "--target", "y", says=["column 'x' has text such as", "decimal comma", "--decimal ,"])
        self.refused("fit", plain, "--target", "y", "--separator", ",", "--decimal", ",", says=["cannot both separate"])
        self.refused("fit", self.write("u.csv", "y,x\n1,2\n".encode("utf-16")), "--target", "y", says=["UTF-16"])
        self.refused("fit", self.write("v.csv", "y,x\n1,2\n".encode("utf-16-le")), "--target", "y", says=["UTF-16"])

    def test_a_line_of_two_gigabytes_is_refused_at_once(self):
        path = self.folder / "long.csv"
        with open(path, "wb") as file:
            file.write(b"y,x\n1,2\n3,")
            file.truncate(2 << 30)  # a hole: no byte of it is stored
        for options in ((), ("--stream",)):
            code, message, memory = self.measured("fit", path, "--target", "y", *options)
            self.assertEqual(code, 1, message)
            self.assertIn("line 3", message)
            self.assertIn("is longer than", message)
            self.assertLess(memory, 400 << 20)  # of 2 GiB

    def test_data_that_say_nothing_or_too_much(self):
        generator = random.Random(3)
        def fit(name, rows, *options):
            numbers = self.folder / "fit.json"
            table = self.write("t.csv", name + "\n" + "".join(",".join(map(str, row)) + "\n" for row in rows))
            result = self.witan("fit", table, "--target", "y", "--restarts", "4", "--json", numbers, *options)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertNotIn("nan", result.stdout)
            read = json.loads(numbers.read_text())
            self.assertIsNotNone(read["log_likelihood"])
            for one in read["parameters"]:  # a number that is not there has its reason
                self.assertTrue(one["estimate"] is not None and one["standard_error"] is not None or one["reason"], one)
            self.assertTrue(read["certificate"]["maximum"] or read["certificate"]["reason"], read["certificate"])
            self.assertEqual(read["degenerate"], bool(read["degenerate_reason"]))
            return read
        def crossing(count):
            return [(x if generator.random() < 0.5 else -x, x) for x in (generator.gauss(0, 1) for _ in range(count))]
        noisy = [(y + 0.2 * generator.gauss(0, 1), x) for y, x in crossing(60)]
        fit("y,x", [(math.copysign(5, i - 39.5) + 0.1 * generator.gauss(0, 1), i) for i in range(80)])  # separable
        fit("y,x", [(math.copysign(5, i - 39.5) + 0.1 * generator.gauss(0, 1), i) for i in range(80)], "--gate-ridge", "0")
        fit("y,x", noisy * 3)
        self.assertIn("linear combination", fit("y,x,z", [(y, x, 2 * x + 1) for y, x in noisy])["notes"][0])
        fit("y,x", [(1, 2), (3, 4)] * 20)
        fit("y,x", noisy[:5], "--experts", "5")
        fit("y,x", [(f"{y}e299", x) for y, x in noisy])
        fit("y,x", [(f"{y}e-300", x) for y, x in noisy])
        fit("y,x", [(y, f"{x}e299") for y, x in noisy])
        fit("y,x", [(y, f"{x}e-310") for y, x in noisy])
        fit("y,x", noisy + [("1e300", 0)])
        fit("y,x,w", [(y, x, "1e300") for y, x in noisy], "--weights", "w")
        fit("y,x,w", [(y, x, "1e-300") for y, x in noisy], "--weights", "w")
        self.assertEqual(fit("y,x,w", [(y, x, 1) for y, x in noisy] + [("1e300", "1e300", 0)], "--weights", "w")["rows"], 60)
        fit("y,x", [("yes" if y > 0 else "no", y) for y, x in noisy], "--family", "logistic")  # separable classes
        def refused(text, says, *options):
            self.refused("fit", self.write("r.csv", text), "--target", "y", *options, says=says)
        refused("y,x\n1,2\n", ["1 row; expected at least 2"])
        refused("y,x\n", ["no rows"])
        refused("y,x\n2,1\n2,2\n2,3\n", ["target 'y'", "in every row"])
        refused("y,x\n1,5\n2,5\n3,5\n", ["column 'x'", "in every row"])
        refused("y,x\na,5\na,6\na,7\n", ["one class"], "--family", "logistic")
        refused("y,x\n1,5\n2,6\n", ["experts=3 exceeds the 2 rows"], "--experts", "3")
        refused("y,x,w\n1,5,0\n2,6,0\n", ["weight 0"], "--weights", "w")
        refused("y,x,w\n1,5,1\n2,6,-1\n", ["line 3, column 'w'"], "--weights", "w")
        refused("y,x\n1,5\ninf,6\n", ["line 3, column 'y': inf"])
        refused("y,x\n1,5\n2,NaN\n", ["line 3, column 'x'", "missing"])
        refused('y,x\n"1\n2",5\n2,6\nabc,7\n', ["line 2, column 'y'", "no number"])

    def test_wrong_tables_and_options(self):
        table = self.write("t.csv", "y,x,c\n1,2,red\n2,,blue\n3,4,red\n")
        self.refused("fit", table, "--target", "y", says=["line 3, column 'x'", "missing"])
        self.refused("fit", table, "--target", "z", says=["no column 'z'"])
        self.refused("fit", table, says=["no target"])
        self.refused("fit", table, "--formula", "y ~ x |", says=["formula: at character"])
        self.refused("fit", table, "--target", "y", "--missing", "drop", "--experts", "7", says=["experts=7 exceeds the 2 rows"])
        self.refused("fit", table, "--target", "y", "--tree", "2x", says=["2x"])
        self.refused("fit", table, "--target", "y", "--tree", "2x2", "--experts", "3", says=["--tree 2x2 has 4 experts", "3"])
        self.refused("fit", table, "--target", "y,x,y", says=["'y' is named twice"])
        for option in ("--output", "--json", "--report"):
            self.refused("fit", table, "--target", "c", option, self.folder, says=["a folder has this name"])
        self.refused("fit", table, "--target", "y", "--family", "gausian", says=["did you mean 'gaussian'"])
        self.refused("fit", self.write("q.csv", 'y,x\n1,"2\n'), "--target", "y", says=["ends inside the quoted field", "line 2"])
        self.refused("fit", self.write("l.csv", b"y,x\n1,caf\xe9\n"), "--target", "y", says=["line 2, column 'x'", "UTF-8"])
        self.refused("predict", self.write("m.json", "{}"), table, says=["m.json", "not a model"])
        model, whole = self.folder / "model.json", self.write("w.csv", "y,x\n1,2\n2,4\n4,5\n")
        self.assertEqual(self.witan("fit", whole, "--target", "y", "--experts", "1", "--output", model).returncode, 0)
        result = self.refused("predict", model, table, says=["line 3, column 'x'", "missing"])
        self.assertNotIn("--missing", result.stderr)  # an option of fit
        self.refused("predict", model, whole, "--json", self.folder, says=["a folder has this name"])


if __name__ == "__main__":
    main()
