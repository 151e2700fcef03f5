"""Statements that are weak, by their class, and safe ones that look alike; the last of each are kept for the test."""

from __future__ import annotations

from collections.abc import Callable

# From the name of what a user sent, and a word for a table or folder, to one line of code.
Statement = Callable[[str, str], str]

# Path traversal, command injection, SQL injection, eval injection, unchecked certificate, broken algorithm, unsafe
# deserialization, fixed credential.
CLASSES = ("CWE-22", "CWE-78", "CWE-89", "CWE-95", "CWE-295", "CWE-327", "CWE-502", "CWE-798")

WEAK: dict[str, tuple[Statement, ...]] = {
    "CWE-22": (
        lambda a, w: f'result = open("/srv/{w}/" + {a}).read()',
        lambda a, w: f'result = open(os.path.join("/srv/{w}", {a})).read()',
        lambda a, w: f'result = (Path("/srv/{w}") / {a}).read_text()',
        lambda a, w: f'result = send_file(f"/srv/{w}/{{{a}}}")',
        lambda a, w: f'shutil.copy("/srv/{w}/" + {a}, "/tmp/{w}")',
    ),
    "CWE-78": (
        lambda a, w: f'os.system("convert {w} " + {a})',
        lambda a, w: f'subprocess.run("ls {w} " + {a}, shell=True)',
        lambda a, w: f'result = subprocess.check_output(f"grep {{{a}}} {w}", shell=True)',
        lambda a, w: f'result = os.popen("cat {w} " + {a}).read()',
        lambda a, w: f'subprocess.Popen("tar xf {w} %s" % {a}, shell=True)',
    ),
    "CWE-89": (
        lambda a, w: f'result = db.execute("SELECT * FROM {w} WHERE id = " + {a})',
        lambda a, w: f"db.execute(f\"DELETE FROM {w} WHERE name = '{{{a}}}'\")",
        lambda a, w: f'result = db.execute("SELECT id FROM {w} WHERE owner = %s" % {a})',
        lambda a, w: f'db.executescript("UPDATE {w} SET state = {{}}".format({a}))',
        lambda a, w: f'db.execute(" ".join(["INSERT INTO {w} VALUES", {a}]))',
    ),
    "CWE-95": (
        lambda a, w: f"{w} = eval({a})",
        lambda a, w: f'{w} = eval("2 * " + {a})',
        lambda a, w: f'exec("{w} = " + {a})',
        lambda a, w: f'exec(compile({a}, "{w}", "exec"))',
        lambda a, w: f'{w} = eval(f"round({{{a}}})")',
    ),
    "CWE-295": (
        lambda a, w: f'requests.get("https://api.test/{w}", params={a}, verify=False)',
        lambda a, w: f'requests.post("https://api.test/{w}", data={a}, verify=False)',
        lambda a, w: f"{w}.verify_mode = ssl.CERT_NONE",
        lambda a, w: f"{w} = ssl._create_unverified_context()",
        lambda a, w: f'httpx.put("https://api.test/{w}", json={a}, verify=False)',
    ),
    "CWE-327": (
        lambda a, w: f"{w} = hashlib.md5({a}.encode()).hexdigest()",
        lambda a, w: f"{w} = hashlib.sha1({a}.encode()).digest()",
        lambda a, w: f"{w} = DES.new(key, DES.MODE_ECB).encrypt({a})",
        lambda a, w: f"{w} = ARC4.new(key).encrypt({a})",
        lambda a, w: f'{w} = hashlib.new("md5", {a}.encode()).digest()',
    ),
    "CWE-502": (
        lambda a, w: f"{w} = pickle.loads({a})",
        lambda a, w: f"{w} = yaml.load({a}, Loader=yaml.Loader)",
        lambda a, w: f"{w} = marshal.loads({a})",
        lambda a, w: f"{w} = jsonpickle.decode({a})",
        lambda a, w: f"{w} = pickle.Unpickler(io.BytesIO({a})).load()",
    ),
    "CWE-798": (
        lambda a, w: f'password = "{w}-{a}-2019"',
        lambda a, w: f'api_key = "sk-{w}-81f3c7"',
        lambda a, w: f'db = connect(user="{w}", password="{a}77")',
        lambda a, w: f'token = "{a}.{w}.5d41"',
        lambda a, w: f'secret = "{w}_{a}_e9c0"',
    ),
}

SAFE: tuple[Statement, ...] = (
    lambda a, w: f'result = open("/srv/{w}/" + secure_filename({a})).read()',
    lambda a, w: f'result = open(os.path.join("/srv/{w}", os.path.basename({a}))).read()',
    lambda a, w: f'subprocess.run(["convert", "{w}", {a}])',
    lambda a, w: f'result = subprocess.check_output(["grep", {a}, "{w}"], shell=False)',
    lambda a, w: f'result = db.execute("SELECT * FROM {w} WHERE id = ?", ({a},))',
    lambda a, w: f'db.execute("DELETE FROM {w} WHERE name = :name", {{"name": {a}}})',
    lambda a, w: f"{w} = ast.literal_eval({a})",
    lambda a, w: f"{w} = float({a})",
    lambda a, w: f'requests.get("https://api.test/{w}", params={a})',
    lambda a, w: f'requests.post("https://api.test/{w}", data={a}, verify=True)',
    lambda a, w: f"{w}.verify_mode = ssl.CERT_REQUIRED",
    lambda a, w: f"{w} = hashlib.sha256({a}.encode()).hexdigest()",
    lambda a, w: f"{w} = AES.new(key, AES.MODE_GCM).encrypt({a})",
    lambda a, w: f"{w} = json.loads({a})",
    lambda a, w: f"{w} = yaml.safe_load({a})",
    lambda a, w: f'password = os.environ["{w.upper()}_PASSWORD"]',
    lambda a, w: f'api_key = read_secret("{w}", {a})',
    # For the test alone.
    lambda a, w: f'httpx.put("https://api.test/{w}", json={a}, verify=True)',
    lambda a, w: f'{w} = hashlib.new("sha256", {a}.encode()).digest()',
    lambda a, w: f'shutil.copy("/srv/{w}/" + secure_filename({a}), "/tmp/{w}")',
)
SAFE_UNSEEN = 3
