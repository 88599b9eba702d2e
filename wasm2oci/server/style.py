"""How the page for people looks: one style sheet, sent inside each page, named in its security policy by its hash."""

from __future__ import annotations

import base64
import hashlib
from typing import Final

__all__ = ["POLICY", "STYLE"]

STYLE: Final = """
:root{--ink:#1c1b29;--soft:#6a6880;--line:#e4e2ee;--paper:#fff;--back:#f6f5fb;--accent:#5b45d6;--tint:#efecfd;--good:#0d7a4f}
@media(prefers-color-scheme:dark){:root{--ink:#eceaf6;--soft:#9d9ab5;--line:#33314a;--paper:#1e1c2e;--back:#151421;
--accent:#a797ff;--tint:#2b2748;--good:#5fd3a3}}
*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--ink);
font:15px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
header{background:var(--paper);border-bottom:1px solid var(--line)}
.bar,main,footer{max-width:1000px;margin:0 auto;padding:0 24px}
.bar{display:flex;align-items:center;gap:12px;height:60px}
.logo{width:26px;height:26px;border-radius:6px;background:var(--accent);position:relative;flex:none}
.logo:after{content:"";position:absolute;left:8px;top:-5px;width:10px;height:10px;border-radius:50%;
background:var(--paper)}
.bar a{color:inherit;text-decoration:none;font-weight:650;font-size:17px;letter-spacing:-.01em}
.bar .where{margin-left:auto;color:var(--soft);font:13px ui-monospace,"DejaVu Sans Mono",monospace}
main{padding-top:28px;padding-bottom:40px}
h1{font-size:26px;line-height:1.25;letter-spacing:-.02em;margin:0 0 6px;overflow-wrap:anywhere}
h2{font-size:15px;margin:0 0 12px;letter-spacing:-.005em}
.lead{color:var(--soft);margin:0 0 24px;overflow-wrap:anywhere}
.crumbs{font-size:13px;color:var(--soft);margin-bottom:10px;overflow-wrap:anywhere}
a{color:var(--accent);text-decoration:none}a:hover,a:focus{text-decoration:underline}
section{background:var(--paper);border:1px solid var(--line);border-radius:12px;padding:18px 20px;margin-bottom:18px;
overflow:hidden}
.grid{display:grid;grid-template-columns:1fr 1fr;gap:18px}.grid section{min-width:0}
@media(max-width:760px){.grid{display:block}.bar .where{display:none}}
table{width:100%;border-collapse:collapse;font-size:14px}
th{text-align:left;font-weight:550;color:var(--soft);font-size:12.5px;padding:0 12px 8px 0;white-space:nowrap}
td{padding:8px 12px 8px 0;border-top:1px solid var(--line);vertical-align:top;overflow-wrap:anywhere}
td.n,th.n{text-align:right;white-space:nowrap;padding-right:0;font-variant-numeric:tabular-nums}
.facts th{width:1%;padding:8px 20px 8px 0;border-top:1px solid var(--line);vertical-align:top}
.facts tr:first-child>*{border-top:0}
code,.mono{font:13px/1.5 ui-monospace,"SF Mono","DejaVu Sans Mono",Menlo,monospace;overflow-wrap:anywhere}
.inner{padding-left:1.5em}
.pill{display:inline-block;background:var(--tint);color:var(--accent);border-radius:99px;padding:1px 10px;
margin:0 6px 4px 0;font-size:12.5px;
font-weight:550;max-width:100%;overflow-wrap:anywhere}
.pill.good{color:var(--good)}
.command{display:block;background:var(--back);border:1px solid var(--line);border-radius:8px;padding:9px 12px;
margin:0 0 8px;
white-space:pre-wrap;word-break:break-all;user-select:all}
.command:before{content:"$ ";color:var(--soft);user-select:none}
.what{font-size:13px;color:var(--soft);margin:0 0 4px}
.empty{color:var(--soft);margin:0}.note{color:var(--soft);font-size:13px;margin:10px 0 0}
footer{color:var(--soft);font-size:13px;padding-bottom:36px}
"""

_HASH: Final = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()

POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""What a browser may do for a page: use this style, and nothing else. Should an escape ever fail, nothing runs."""
